"""The whole mini preset: it is built, and its trade-off is a real one."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from cosee.data.tasks import TASKS

PROJECT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """Results of `snakemake --cores 2 all` in a folder of their own."""
    folder = tmp_path_factory.mktemp("mini")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(PROJECT / "workflow/Snakefile"), "--cores", "2"]
    subprocess.run([*command, "--directory", str(folder), "all"], check=True, cwd=PROJECT)
    return folder / "results"


@pytest.fixture(scope="module")
def exits(results) -> pd.DataFrame:
    """Dev accuracy of every exit of the vanilla mini-BERT: one row per task, one column per exit, mean over seeds."""
    frames = pd.concat([pd.read_csv(results / task / "energy_layers.csv") for task in TASKS])
    vanilla = frames.query("backbone == 'bert' and variant == 'vanilla' and split == 'dev'")
    return vanilla.pivot_table(index="task", columns="layer", values="accuracy")


def test_every_result_is_there(results):
    tables = {f"table{number}" for number in (1, 2, 3, 4)} | {
        "methods",
        "calibration",
        "steps",
        "differences",
        "risk",
        "latency",
    }
    assert {path.stem for path in (results / "tables").iterdir()} == tables
    assert len(list((results.parent / "figures").glob("*.svg"))) == 12


def test_most_tasks_can_be_learned(exits):
    assert (exits.max(axis=1) >= 0.80).sum() >= 4, exits.round(3)


def test_most_tasks_need_depth(exits):
    assert (exits.max(axis=1) - exits[1] >= 0.05).sum() >= 4, exits.round(3)


@pytest.mark.parametrize("task", TASKS)
def test_energy_gives_many_operating_points(results, task):
    frame = pd.read_csv(results / task / "energy_tradeoff.csv")
    for _, curve in frame.query("backbone == 'bert' and variant == 'vanilla' and split == 'dev'").groupby("seed"):
        assert curve.loc[curve["speedup"].between(1.2, 6), "speedup"].nunique() >= 20


def test_every_variant_beats_the_majority_class(results):
    best = {}
    for task in TASKS:
        labels = pd.read_parquet(results.parent / f"resources/rows/{task}.parquet").query("split == 'dev'")["label"]
        majority = labels.value_counts(normalize=True).max()
        for signal in ("energy", "rule"):
            layers = pd.read_csv(results / task / f"{signal}_layers.csv").query("backbone == 'bert' and split == 'dev'")
            for variant, accuracy in layers.groupby("variant")["accuracy"].max().items():
                best.setdefault(variant, {})[task] = accuracy - majority
    assert len(best) >= 16
    assert {variant for variant, above in best.items() if max(above.values()) < 0.05} == set()
