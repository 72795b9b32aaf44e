"""Wrong configurations: values of another type, names that nothing defines, parts that do not fit together."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from faults.outcomes import Case
from helpers.presets import CONFIGS, read

from cosee.plan.checks import check, check_settings
from cosee.plan.configuration import configuration
from cosee.plan.cost import announcement
from cosee.plan.disk import disk_sentence, disk_space
from cosee.plan.jobs import training_jobs
from cosee.plan.merging import read_preset, with_defaults
from cosee.plan.runs import final_runs
from cosee.plan.search import grid_runs

KIND = "configuration"
INF, NAN = float("inf"), float("nan")
Change = Callable[[dict[str, Any]], Any]

WRONG: dict[str, tuple[Any, ...]] = {
    "preset": ("../x", "/x", "mini\n", "", 3, None),
    "backbone": ("bort", None, 3),
    "signals": ([], ["foo"], "energy", None, ["energy", "energy"]),
    "seeds": ([], [1.0], [-1], ["0"], [0, 0], None, 0),
    "search_per_signal": ("no", 1, None),
    "training.learning_rate": ("2e-5", 0, -0.1, INF, NAN, [0.1]),
    "training.batch_size": (0, 32.0, "32", -1),
    "training.epochs": (0, 1.5, True),
    "training.warmup": (1.5, -0.1, NAN),
    "training.weight_decay": (-1.0, INF),
    "training.clip": (0.0, "1"),
    "training.accumulation": (0, 1.0, 7),
    "training.precision": ("fp8", 16),
    "training.checkpoint": ("first",),
    "training.save_minutes": (-1.0, INF),
    "training.lr": (0.1,),
    "training": (None, [], "fast"),
    "trainings": ({},),
    "grid.learning_rate": ([], [0], [NAN], [INF], [0.1, 0.1], ["fast"], [True]),
    "tune": (["gamma"], "learning_rate", None),
    "tuned_as": ("nothing", 3),
    "data.source": ("web", None),
    "data.max_length": (7, 513, 48.0, "48"),
    "data.revision": ("main", "A" * 40),
    "data.train_rows": ({"cola": 10}, {"sst2": 5}, {"sst2": 50.0}, None),
    "data.generated": (None,),
    "data.generated.train": (10, 120.0, "120"),
    "data.generated.validation": (1, None),
    "data.generated.label_noise": (0.6, -0.1, NAN, "none"),
    "data.generated.seed": (-1, 1.0),
    "backbones": ({}, None, {"b/a": {}}),
    "backbones.bert.layers": (1, 4.0, "4", None),
    "backbones.bert.source": ("disk", "hub"),
    "backbones.bert.dropout": (1.0, -0.1, 0.1),
    "backbones.bert.exit_state": ("max", "mean"),
    "backbones.bert.pooler": ("own", "fresh"),
    "backbones.bert.pretraining": (None, {}),
    "backbones.bert.pretraining.hidden_size": (8, 16.0),
    "backbones.bert.pretraining.learning_rate": (0.0, INF),
    "backbones.bert.pretraining.kind": ("lstm",),
    "protocol.name": ("none", None),
    "protocol.sel_fraction": (0.0, 0.9, NAN),
    "protocol.sel_max": (1, 10.5),
    "protocol.held_rows": ({"sst2": 1}, {"cola": 100}, []),
    "protocol.criterion": ("loss",),
    "protocol.targets": ([], [0.5], [50.0], ["2"], [NAN]),
    "protocol.table_target": (2.7, 0.5, "2"),
    "variants": ({}, None, []),
    "variants.cosee": ([], "cosee"),
    "variants.cosee.method": ("base", None, 3),
    "variants.cosee.label": (None, 3),
    "variants.cosee.rule": ("foo", 3),
    "variants.cosee.depths": ("some",),
    "variants.cosee.fixed": ({"foo": 1}, *({"alpha": value} for value in ("a", [1], INF, -1, True))),
    "variants.cosee.fixed_by_task": ({"cola": {}}, {"sst2": {"alpha": "a"}}, {"sst2": {"foo": 1}}),
    "variants.cosee.training": ({"lr": 1}, {"epochs": 0}, {"batch_size": 8, "accumulation": 3}),
    "variants.cosee.one_model_per": ({}, {"alpha": []}, {"alpha": [0.1], "beta0": [1]}),
    "variants.cosee.tuned_as": ("nothing", "cosee", "pabee"),
    "variants.cosee.seeds": ([], ["0"], [5]),
    "variants.pcee.models_from": ("nothing", "half", "fpabee", "backbone"),
    "variants.pcee.rule": ("uncertainty", None),
    "variants.berxit.fixed": ({"lte": 3}, {"lte": "true"}),
    "variants.consistentee.rule": (None,),
    "variants.random": ({"label": "x", "method": "pabee"},),
    "variants.oracle": ({"label": "x", "method": "pabee"},),
    "variants.static": ({"label": "x", "method": "pabee"},),
    "variants.all": ({"label": "x", "method": "pabee"},),
    "variants.My-own": ({"label": "x", "method": "pabee"},),
    "variants.new\n": ({"label": "x", "method": "pabee"},),
    "experiments": ([], {}, None, [{}], [3], [{"variants": []}], [{"variants": ["half"]}]),
    "figures.fig1.thresholds": ([], [7.0], [NAN], ["0.4"]),
    "figures.fig4.variants": ([], ["nothing"], ["half", "half"]),
    "figures.fig4.backbone": ("bort",),
    "figures.fig4.tasks": (["cola"], [], ["sst2", "sst2"]),
    "figures.fig7.targets": ([2.7],),
    "figures.fig99": ({},),
    "tables.table2.signal": ("margin",),
    "tables.table4": (None, {"label": "x", "encoder": {}}),
    "tables.table9": ({},),
    "latency.variant": ("half", "nothing", "consistentee"),
    "latency.targets": ([], [50.0]),
    "latency.rows": (0, 1.5),
    "latency.batch_sizes": ([], [0]),
    "reference_variant": ("nothing", "half", None),
    "keep_weights": (["nothing"], "all", None),
    "jobs.minutes": (-1, INF, "many"),
    "cost.samples_per_second": (0, INF),
    "cost.steps": (1,),
    "published": (["../x"], "mini"),
}
"""Key -> values that are refused there."""

GOOD: dict[str, tuple[Any, ...]] = {
    "latency": (None,),
    "figures.fig1": (None,),
    "tables.methods": (None,),
    "seeds": ([0], [0, 5]),
    "figures.fig4.tasks": (["rte"],),
    "training.learning_rate": (1e-4,),
    "variants.cosee.fixed": ({"alpha": 0}, {"beta0": 3}),
    "variants.cosee.label": ("a | b $x$ <i>",),
    "keep_weights": (["all"], ["cosee"]),
    "protocol.name": ("field",),
    "grid.learning_rate": ([0.001],),
}
"""Key -> values that are unusual and right."""

FILES: dict[str, bytes] = {
    "tabs": b"training:\n\tepochs: 1\n",
    "unclosed": b"training: {epochs: 1\n",
    "a list": b"- 1\n",
    "a scalar": b"mini\n",
    "empty": b"",
    "not UTF-8": b"preset: caf\xe9\n",
    "a NUL byte": b"preset: a\x00b\n",
    "a Python object": b"preset: !!python/object/apply:os.system ['touch ran']\n",
    "a key twice": b"training:\n  epochs: 1\n  epochs: 2\n",
    "endless aliases": b"a: &a [x, x]\nb: &b [*a, *a]\ntraining: *b\n",
}


def put(path: str, value: Any) -> Change:
    """A change that puts a value at a dotted key, making what is missing on the way."""

    def change(config: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for part in parents:
            if not isinstance(config.get(part), dict):
                config[part] = {}
            config = config[part]
        config[last] = value

    return change


def prepare(config: dict[str, Any]) -> int:
    """All that happens with a configuration before a start."""
    read_config = configuration(with_defaults({}, config))
    check(read_config)
    runs = final_runs(read_config)
    every = [*runs, *grid_runs(read_config)]
    jobs = training_jobs(read_config)
    check_settings(read_config)
    disk = disk_sentence(disk_space(read_config, every, Path("/")))
    announcement(read_config, len(every), len(jobs), sum(job.minutes for job in jobs), Path("/"), 1, disk)
    return 0


def cases() -> Iterator[Case]:
    """Every wrong value of every key, and every wrong file."""
    for right, table in ((False, WRONG), (True, GOOD)):
        for key, values in table.items():
            for value in values:

                def act(_: Path, key: str = key, value: Any = value) -> int:
                    config = read("config")
                    put(key, value)(config)
                    return prepare(config)

                yield Case(KIND, f"{key}: {value!r}"[:100].replace("\n", "\\n"), act, right)
    for name, content in FILES.items():

        def read_file(folder: Path, content: bytes = content) -> int:
            (folder / "file.yaml").write_bytes(content)
            return prepare(read_preset(CONFIGS / "defaults.yaml", [folder / "file.yaml"]))

        yield Case(KIND, f"a file: {name}", read_file)
