"""Tables 1 and 4: numbers of examples and of parameters."""

from collections.abc import Mapping

import pandas as pd

from cosee.data.tasks import TASKS
from cosee.tables.text import NONE, count, decimal

_GENERATED = "generated"


def data_statistics(rows: pd.DataFrame, reported: pd.DataFrame, generated: bool = False) -> pd.DataFrame:
    """Table 1: sizes as printed in the paper, of the official release, and of the data used here.

    Tasks that the paper does not have come last.

    Args:
        rows: task, split (fit, sel, dev, ...), label (id, -1 if unknown), rows (number of examples); one row per class.
        reported: `config/reported/table1.csv`.
        generated: whether the data are generated instead of taken from the official release.

    Returns:
        task, name, kind, classes, split, paper (as printed), official, rows, largest_class (percent), note; one row
        per task and split; "train" is fit and sel together, and cal where it was cut from the official release.
    """
    parts = ("fit", "sel") if generated else ("fit", "sel", "cal")
    train = rows[rows["split"].isin(parts)].assign(split="train")
    sizes = pd.concat([train, rows]).groupby(["task", "split", "label"])["rows"].sum()
    totals, largest = sizes.groupby(level=[0, 1]).sum(), sizes.groupby(level=[0, 1]).max()
    lines = []
    others = [TASKS[name] for name in rows["task"].unique() if name not in set(reported["task"])]
    added = pd.DataFrame([{"task": task.name, "name": task.label, "kind": task.kind} for task in others])
    listed = pd.concat([reported.sort_values("row"), added]) if others else reported.sort_values("row")
    for paper in listed.itertuples():
        task = TASKS[paper.task]
        hub_names = {"train": "train", "fit": None, "sel": None, **task.eval_splits, **task.test_splits}
        hub_names |= {split: None for split in ("held", "cal") if (task.name, split) in totals}
        for split, hub_name in hub_names.items():
            total, official = totals.get((task.name, split), 0), task.official_rows.get(hub_name)
            labeled = total > 0 and split not in task.test_splits
            lines.append(
                {
                    "task": task.name,
                    "name": paper.name,
                    "kind": paper.kind,
                    "classes": task.num_classes,
                    "split": split,
                    "paper": {"train": paper.train, "test": paper.test}.get(split),
                    "official": official,
                    "rows": total,
                    "largest_class": 100 * largest[task.name, split] / total if labeled else None,
                    "note": _note(total, official, generated),
                }
            )
    return pd.DataFrame(lines).astype({"official": "Int64", "largest_class": float})


def data_statistics_wide(table: pd.DataFrame) -> pd.DataFrame:
    """One row per task from `data_statistics`; MNLI's two evaluation splits are separated by a slash."""
    lines, has_cal = [], "cal" in set(table["split"])
    for task, group in table.groupby("task", sort=False):
        of = group.set_index("split")
        dev = list(TASKS[task].eval_splits)
        printed = of["paper"].dropna()  # nothing, if the paper does not have the task
        notes = [note if note == _GENERATED else f"{split}: {note}" for split, note in of["note"].items() if note]
        lines.append(
            {
                "Task": of["name"].iloc[0],
                "Kind": of["kind"].iloc[0],
                "C": str(of["classes"].iloc[0]),
                **{f"Paper {split}": printed.get(split, NONE) for split in ("train", "test")},
                "Official train": count(of.at["train", "official"]),
                "Official dev": "/".join(count(of.at[split, "official"]) for split in dev),
                "Here fit": count(of.at["fit", "rows"] or None),
                "Here sel": count(of.at["sel", "rows"] or None),
                **({"Here cal": count(of["rows"].get("cal"))} if has_cal else {}),
                "Here dev": "/".join(count(of.at[split, "rows"] or None) for split in dev),
                "Largest class in dev (%)": decimal(of.at["dev", "largest_class"]),
                "Note": "; ".join(dict.fromkeys(notes)) or NONE,
            }
        )
    return pd.DataFrame(lines)


def parameter_counts(reported: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """Table 4: parameters of a model and those that a variant adds, for C classes.

    Args:
        reported: `config/reported/table4.csv`.
        measured: model (key of the variant), num_classes, params, extra_params (beyond the plain model).

    Returns:
        variant, num_classes, metric ("params" or "extra_params"), reported, reported_printed, reported_source,
        measured.
    """
    keys = ["variant", "num_classes", "metric"]
    reported = reported.rename(
        columns={"value": "reported", "printed": "reported_printed", "source": "reported_source"}
    )[[*keys, "reported", "reported_printed", "reported_source"]]
    counts = measured.rename(columns={"model": "variant"}).melt(
        ["variant", "num_classes"], ["params", "extra_params"], var_name="metric", value_name="measured"
    )
    variants = dict.fromkeys([*reported["variant"], *counts["variant"]])
    table = reported.merge(counts, on=keys, how="outer").astype({"reported": "Int64", "measured": "Int64"})
    table["variant"] = pd.Categorical(table["variant"], list(variants))
    table = table.sort_values(["variant", "num_classes", "metric"], ascending=[True, True, False], ignore_index=True)
    return table.astype({"variant": str})


def parameter_counts_wide(table: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """One row per model from `parameter_counts`: reported and counted here, for every number of classes."""
    lines = []
    for variant, group in table.groupby("variant", sort=False):
        line = {"Model": labels.get(variant, variant)}
        for num_classes, cells in group.groupby("num_classes"):
            of = cells.set_index("metric")
            printed = [text for text in of["reported_printed"] if not pd.isna(text)]
            extra = of["measured"].get("extra_params", pd.NA)
            line[f"C = {num_classes}: paper"] = ", ".join(printed) or NONE
            line[f"C = {num_classes}: here"] = count(of["measured"].get("params", pd.NA))
            line[f"C = {num_classes}: here, added"] = NONE if pd.isna(extra) else f"+{extra:,}"
        lines.append(line)
    return pd.DataFrame(lines).fillna(NONE)


def _note(total: int, official: int | None, generated: bool) -> str:
    if generated and total:
        return _GENERATED
    if total and official and total != official:
        return f"{100 * total / official:.1f} % of the official rows"
    return ""
