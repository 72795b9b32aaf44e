"""The estimate follows from rows, epochs and depth."""

from pathlib import Path

from presets import read

from cosee import plan
from cosee.cost import announcement, fit_rows
from cosee.tasks import TASKS


def test_estimate_counts_rows_epochs_and_depth(config):
    config["experiments"] = [
        {"backbone": "bert", "tasks": ["sst2"], "signals": ["energy"], "variants": ["backbone", "half"]}
    ]
    config["seeds"] = [0]
    config["cost"]["samples_per_second"] = 10
    jobs = plan.cut(plan.final_runs(config), "final", 10)
    rows = config["data"]["generated"]["train"] - round(0.1 * config["data"]["generated"]["train"])
    minutes = rows * config["training"]["epochs"] * 1.5 / 10 / 60 / 2
    text = announcement(config, jobs, Path("/here"), parallel=2)
    assert "2 trainings in 1 jobs" in text
    assert f"about {minutes:.0f} minutes" in text
    assert str(Path("/here/results")) in text


def test_fit_rows_by_source():
    config = read("glue-small")
    assert fit_rows(config, "rte") == 2490 - 249
    assert fit_rows(config, "qqp") == 363846 - 2000
    config["data"]["train_rows"] = {"qqp": 500}
    assert fit_rows(config, "qqp") == 500
    config["protocol"]["name"] = "field"
    assert fit_rows(config, "rte") == TASKS["rte"].official_rows["train"]
