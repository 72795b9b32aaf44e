"""Published runs in place of trainings: the same tables and figures, without data, encoders or torch."""

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers.pipeline import REDUCED_MINI, snakemake

from cosee.runs.published import publish

LEFT_OUT = {"tables": {"table4": {"label": "-", "encoder": {"model_type": "bert"}}}, "figures": {"fig7": None}}
"""Figure 7 shows training examples, which are not published."""


@pytest.fixture(scope="module")
def rebuilt(built, tmp_path_factory):
    """A folder with what comes of the runs of the reduced pipeline, published, and what Snakemake printed."""
    folder = tmp_path_factory.mktemp("published")
    for run in sorted(built.glob("results/runs/*/*/*/final/seed*")):
        publish(run, folder / "collection")
    changes = folder / "changes.yaml"
    changes.write_text(yaml.safe_dump({"predictions": str(folder / "collection"), **LEFT_OUT}))
    printed = snakemake(folder / "out", "published_results", configs=(*REDUCED_MINI, changes))
    return folder / "out", printed


def test_nothing_is_trained_and_nothing_is_fetched(rebuilt):
    folder, printed = rebuilt
    assert not (folder / "resources").exists() and not list(folder.glob("logs/train/*"))
    assert not list(folder.glob("results/runs/*/*/*/final/*/model.safetensors"))
    assert "0 trainings in 0 jobs" in printed


def test_tables_are_those_of_the_trained_runs_but_for_the_digits_of_float16(built, rebuilt):
    folder, _ = rebuilt
    for name in ("methods", "differences", "table2"):
        ours, theirs = (pd.read_csv(place / f"results/tables/{name}.csv") for place in (folder, built))
        assert list(ours.columns) == list(theirs.columns) and len(ours) == len(theirs)
    before, after = (pd.read_csv(place / "results/sst2/energy_layers.csv") for place in (built, folder))
    np.testing.assert_allclose(after["accuracy"], before["accuracy"], atol=0.02)  # one of sixty examples
    assert (folder / "figures/fig4_tradeoff-energy.svg").stat().st_size > 10_000
