"""A small workflow folder with everything that the explorer reads: random outputs, and the results made from them."""

import runpy
import zlib
from contextlib import nullcontext
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pandas as pd
from helpers.pipeline import PROJECT
from helpers.presets import read

from cosee.data.tasks import TASKS
from cosee.evaluation.outputs import ExitOutputs, load_outputs, save_outputs
from cosee.explorer.inputs import risk_files
from cosee.io import write_frame, write_json
from cosee.plan.configuration import configuration
from cosee.plan.curves import given_thresholds, signals_of
from cosee.plan.runs import final_runs, predicted_splits
from cosee.tables.claims import COLUMNS

LAYERS = 5
EXAMPLES = 80
HOSTILE = ["<script>window.hacked = 1</script>", '<img src="x" onerror="window.hacked = 1">', "</script>&amp;'\"${x}"]
"""Texts of the first examples: a page must show them, not read them."""
NAME = 'COSEE <b>"&'
"""Name of the reference variant, as hostile."""


def settings():
    """The mini preset cut down to two tasks, one of them with an F1 score; three seeds, so that there are intervals."""
    raw = read("config")
    raw["backbones"] = {"bert": raw["backbones"]["bert"] | {"layers": LAYERS}}
    raw["protocol"]["targets"] = [1.5, 2.0, 3.0]
    raw["variants"]["cosee"]["label"] = NAME
    raw["experiments"] = [
        {"backbone": "bert", "tasks": ["sst2", "mrpc"], "signals": ["energy"], "variants": ["vanilla", "cosee"]},
        {"backbone": "bert", "tasks": ["sst2"], "signals": ["entropy"], "variants": ["vanilla", "cosee"], "seeds": [0]},
        {
            "backbone": "bert",
            "tasks": ["sst2"],
            "signals": ["energy"],
            "variants": ["backbone", "half", "k_layers", "pabee", "pcee", "palbert", "consistentee"],
            "seeds": [0],
        },
    ]
    raw["tables"]["table3"] = None
    return raw | {"seeds": [0, 1, 2], "latency": None}


def config():
    """The configuration of `settings`."""
    return configuration(settings())


def write_folder(folder):
    """Outputs, run descriptions, histories and texts of every run, and the results of the rule `sweep`."""
    plan = config()
    tasks = list(dict.fromkeys(run.task for run in final_runs(plan)))
    rows = {task: _rows(task) for task in tasks}
    for task in tasks:
        write_frame(folder / f"resources/rows/{task}.parquet", rows[task])
    for run in final_runs(plan):
        for split in predicted_splits(run, plan):
            for rule in run.rules:
                outputs = _outputs(run, rows[run.task][rows[run.task]["split"] == split])
                save_outputs(folder / run.outputs_file(split, rule), outputs)
        write_json(folder / run.folder / "run.json", facts(run))
        write_frame(folder / run.folder / "history.csv", _history(run))
    for task in tasks:
        for signal in signals_of(plan, task):
            _sweep(folder, plan, task, signal)
    for file in risk_files(plan):
        _certify(folder, plan, file)
    return folder


def write_claims(folder):
    """A list of two claims, one tested on a collection `there`, as `cosee claims` writes it."""
    file = folder / "claims.csv"
    test = dict(collection="there", backbone="bert", tasks="sst2", measure="dis", variant="cosee (energy)", split="dev")
    test |= dict(reference="vanilla (energy)", seeds=3, effect=1.5, low=0.5, high=2.5, verdict="supported")
    rows = [{"id": "a", "claim": "OSC raises DIS <i>", "source": "Figure 5"} | test]
    rows += [{"id": "b", "claim": "It is fast", "source": "Table 2", "verdict": "not tested"}]
    write_frame(file, pd.DataFrame(rows, columns=list(COLUMNS)))
    return file


def facts(run):
    """What `run.json` says, as far as it is read."""
    identity = {name: getattr(run, name) for name in ("task", "backbone", "variant", "name", "seed", "rule")}
    return {
        "run": identity,
        "method": {},
        "selection_split": "sel",
        "commit": "0" * 40,
        "seconds": {"training": 1.5, "prediction": 0.1},
        "hardware": {"processor": "a processor", "gpu": None, "threads": 1},
        "versions": {"python": "3.11"},
    }


def _rows(task):
    rng = np.random.default_rng(len(task))
    frames = []
    for split, count in (("fit", 8), ("sel", 40), ("cal", 20), ("dev", EXAMPLES)):
        texts = [f"{split} text {number}" for number in range(count)]
        if split == "dev":
            texts[: len(HOSTILE)] = HOSTILE
        second = texts[::-1] if len(TASKS[task].columns) > 1 else ""
        labels, steps = rng.integers(0, 2, count), rng.integers(1, 5, count)
        columns = {"text_a": texts, "text_b": second, "label": labels, "idx": range(count)}
        columns |= {"difficulty": steps, "steps": steps}
        frames.append(pd.DataFrame({"split": split, **columns}))
    return pd.concat(frames, ignore_index=True)


def _outputs(run, rows):
    """Outputs that are more often right, and surer, at later exits; better for the reference variant."""
    depths = (run.settings["depth"],) if "depth" in run.settings else tuple(range(1, LAYERS + 1))
    rng = np.random.default_rng([run.seed, *map(zlib.crc32, (run.name.encode(), run.task.encode()))])
    labels, shape = rows["label"].to_numpy(), (len(rows), len(depths))
    margin = np.array(depths) / LAYERS * 2 + (run.variant == "cosee") * 0.7 - 0.4 * rows["steps"].to_numpy()[:, None]
    margin = margin + rng.normal(0, 1, shape)
    sign = np.where(labels == 1, 1, -1)[:, None]
    logits = np.stack([-sign * margin, sign * margin], axis=-1).astype(np.float32)
    learned = rng.uniform(0, 1, shape).astype(np.float32) if run.rule in ("quantile", "policy") else None
    costs = tuple(1.01 * depth for depth in depths)
    return ExitOutputs(logits, labels, rows["idx"].to_numpy(), LAYERS, depths, costs, learned, rows["steps"].to_numpy())


def _history(run):
    steps = np.arange(1, 41)
    history = pd.DataFrame({"step": steps, "epoch": 1 + steps // 20, "mean_ce": 1 / steps + 0.01 * run.seed})
    if run.method == "cosee":
        history = history.assign(threshold_low=0.1, threshold_high=0.1 + 0.01 * steps)
    return history


def _sweep(folder, plan, task, signal):
    """Results of the rule `sweep`."""
    kinds = ("tradeoff", "targets", "dis", "exits", "layers", "density", "calibration", "steps")
    job = SimpleNamespace(
        log=["log"],
        input=[],
        config=settings(),
        wildcards=SimpleNamespace(task=task, signal=signal),
        params=SimpleNamespace(targets=plan.protocol.targets, thresholds=given_thresholds(plan, signal)),
        output={kind: str(folder / f"results/{task}/{signal}_{kind}.csv") for kind in kinds},
    )
    _run("sweep", job, folder)


def _certify(folder, plan, file):
    """Risks of the rule `certify`; the file's name tells task and signal."""
    task, name = file.split("/")[1:]
    job = SimpleNamespace(
        log=["log"],
        input=[],
        config=settings(),
        wildcards=SimpleNamespace(task=task, signal=name.removesuffix("_risk.csv")),
        params=SimpleNamespace(target=plan.protocol.table_target),
        output=[str(folder / file)],
    )
    _run("certify", job, folder)


def _run(name, job, folder):
    """A script of the workflow, run here."""
    script = PROJECT / f"workflow/scripts/{name}.py"
    loaded = _from(folder, load_outputs)
    with (
        mock.patch("cosee.scripting.logged", lambda path: nullcontext()),
        mock.patch("cosee.evaluation.outputs.load_outputs", loaded),
    ):
        runpy.run_path(str(script), init_globals={"snakemake": job})


def _from(folder, read_outputs):
    return lambda path: read_outputs(folder / path)
