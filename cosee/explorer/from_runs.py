"""The source of a page from finished runs in folders of their own, with published runs beside them if wanted."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cosee.data.glue import local_rows
from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.evaluation.frames import ORACLE, RANDOM, STATIC
from cosee.evaluation.outputs import ExitOutputs
from cosee.evaluation.point_frames import TARGETS
from cosee.explorer.facts import facts_of_runs
from cosee.explorer.measured import KINDS, is_static, measured_frames, model_name, selection_split
from cosee.explorer.source import EXAMPLES, HISTORY, Line, Series, Source, series_id
from cosee.io import load_arrays, read_frame
from cosee.methods import rule_named
from cosee.runs.comparison import (
    Entrant,
    Model,
    check_same_examples,
    entrants_of_collection,
    entrants_of_runs,
    points_at,
)
from cosee.runs.points import Points
from cosee.runs.published import published_facts, published_runs
from cosee.runs.stored import read_run

YOURS = "yours"
"""Mark of one's own runs beside published ones of the same name."""

_NO_TEXT = "Texts are shown from a copy of the data of one's own: --data-dir FOLDER."


def runs_source(
    runs: Sequence[str | Path],
    *,
    published: str | Path | None = None,
    backbone: str | None = None,
    data_dir: str | Path | None = None,
    targets: Sequence[float] = TARGETS,
) -> Source:
    """Everything that finished runs tell, measured as in the workflow.

    Args:
        runs: folders of finished runs.
        published: a published collection; its runs are shown beside them.
        backbone: which of its encoders; may be None if there is only one.
        data_dir: the user's own copy of GLUE, or the folder `resources/rows` of a workflow; the page then shows texts.
        targets: speed-ups at which methods are compared.

    Raises:
        InputError: a folder holds no finished run, or the runs were evaluated on other examples than the published.
    """
    ours = entrants_of_runs(runs)
    facts, histories = _facts_of_folders(runs)
    encoder = ", ".join(sorted({fact["run"]["backbone"] for fact in facts}))
    others: list[Entrant] = []
    if published is not None:
        others = entrants_of_collection(published, backbone)
        check_same_examples(ours, others)
        more, more_histories = _facts_of_collection(published, backbone)
        facts, histories = [*facts, *more], [*histories, *more_histories]
        encoder = next(iter(fact["run"]["backbone"] for fact in more))
    entrants = _named(ours, others)
    if all(is_static(models) for entrant in entrants.values() for models in entrant.models.values()):
        raise InputError(
            f"{runs[0]}: has no exits, nor has any other run given; expected a run with an exit after every layer."
        )
    measured = [measured_frames(identity, entrant, encoder, targets) for identity, entrant in entrants.items()]
    return Source(
        title="Runs compared" if published else "Finished runs",
        data=f"{len(runs)} of your runs" + (f" beside those published in {Path(published).name}" if published else ""),
        backbones={encoder: encoder},
        series=[_series(identity, entrant) for identity, entrant in entrants.items()] + _controls(entrants),
        reference=next(iter(entrants)),
        targets=list(targets),
        frames={
            kind: pd.concat(parts, ignore_index=True)
            for kind in KINDS
            if (parts := [frame for frames in measured for frame in frames[kind]])
        },
        lines=[line for identity, entrant in entrants.items() for line in _lines(identity, entrant, encoder)],
        points=_points(entrants, encoder, targets),
        histories=pd.concat([history.assign(backbone=encoder) for history in histories], ignore_index=True),
        examples={} if data_dir is None else {task: texts_of(task, data_dir) for task in _tasks(entrants)},
        no_text="" if data_dir else _NO_TEXT,
        provenance=facts_of_runs(facts),
    )


def texts_of(task: str, folder: str | Path) -> pd.DataFrame:
    """Split, idx and texts of the evaluated examples of a task, from a copy of GLUE or a workflow's `resources/rows`.

    Raises:
        InputError: the folder has neither layout.
    """
    file = Path(folder) / f"{task}.parquet"
    if file.is_file():
        rows = read_frame(file)
        return rows[[name for name in EXAMPLES if name in rows]]
    splits = local_rows(TASKS[task], folder, "--data-dir")
    names = dict(zip(("text_a", "text_b"), TASKS[task].columns, strict=False))
    return pd.concat(
        [
            pd.DataFrame(
                {"split": name, "idx": splits[hub]["idx"]} | {new: splits[hub][old] for new, old in names.items()}
            )
            for name, hub in TASKS[task].eval_splits.items()
        ],
        ignore_index=True,
    )


def _named(ours: Iterable[Entrant], others: Iterable[Entrant]) -> dict[str, Entrant]:
    """Name of the series -> entrant: one's own first, marked where a published one has the same name."""
    others = list(others)
    taken = {entrant.name for entrant in others}
    found: dict[str, Entrant] = {}
    for entrant, is_own in [*((each, True) for each in ours), *((each, False) for each in others)]:
        if is_own and entrant.name in taken:
            entrant.name = f"{entrant.name}, {YOURS}"
        found[series_id(entrant.name, rule_named(entrant.rule).family)] = entrant
    return found


def _series(identity: str, entrant: Entrant) -> Series:
    return Series(identity, entrant.name, identity.rpartition("|")[2], entrant.name, "own")


def _controls(entrants: dict[str, Entrant]) -> list[Series]:
    """Random exits and the oracle, of the classifiers of the first entrant with exits."""
    return [Series(series_id(name, ""), name, "", label, "control") for name, label in _CONTROLS.items() if entrants]


_CONTROLS = {RANDOM: "random exits", ORACLE: "first correct exit (oracle)", STATIC: "models of k layers"}


def _tasks(entrants: dict[str, Entrant]) -> list[str]:
    return [task for task in TASKS if any(task in entrant.tasks for entrant in entrants.values())]


def _lines(identity: str, entrant: Entrant, backbone: str) -> Iterable[Line]:
    for (task, seed), models in entrant.models.items():
        if not is_static(models):
            yield Line(task, backbone, identity, seed, _reader(models), selection_split(models[0]))


def _reader(models: Sequence[Model]) -> Callable[[str], list[tuple[str, ExitOutputs]]]:
    def outputs(split: str) -> list[tuple[str, ExitOutputs]]:
        return [(model_name(place), model[split]) for place, model in enumerate(models) if split in model]

    return outputs


def _points(entrants: dict[str, Entrant], backbone: str, targets: Sequence[float]) -> dict[tuple[str, float], Points]:
    """Operating points at equal cost on dev, of entrants that have it."""
    ids = {entrant.name: identity for identity, entrant in entrants.items()}
    there = [
        each for each in entrants.values() if all("dev" in model for models in each.models.values() for model in models)
    ]
    return {
        (backbone, float(target)): {(task, ids[name]): side for (task, name), side in points_at(there, target).items()}
        for target in targets
    }


def _facts_of_folders(folders: Iterable[str | Path]) -> tuple[list[dict[str, Any]], list[pd.DataFrame]]:
    facts, histories = [], []
    for folder in map(Path, folders):
        facts.append(read_run(folder))
        histories.append(_history(read_frame(folder / "history.csv"), facts[-1]["run"], folder.name))
    return facts, histories


def _facts_of_collection(
    collection: str | Path, backbone: str | None
) -> tuple[list[dict[str, Any]], list[pd.DataFrame]]:
    facts, histories = [], []
    for run in published_runs(collection):
        if backbone in (None, run.backbone):
            arrays = load_arrays(run.file)
            history = pd.DataFrame({name: arrays[f"history-{name}"] for name in ("step", "mean_ce")})
            facts.append(published_facts(run))
            histories.append(_history(history, facts[-1]["run"], run.name))
    return facts, histories


def _history(history: pd.DataFrame, run: dict[str, Any], name: str) -> pd.DataFrame:
    """The columns that the page shows, with the identity of the run in the names of its series."""
    kept = history[[column for column in HISTORY if column in history]]
    variant = f"{run['variant']} ({run['rule']})"
    return kept.assign(task=run["task"], variant=variant, name=name, seed=run["seed"])
