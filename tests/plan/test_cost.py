"""The estimate follows from rows, epochs and depth."""

from pathlib import Path

import pytest
from helpers.presets import read

from cosee.data.tasks import TASKS
from cosee.plan.cost import announcement, duration, passes, split_rows
from cosee.plan.jobs import cut
from cosee.plan.runs import final_runs
from cosee.plan.search import grid_runs


def test_estimate_counts_rows_epochs_and_depth(config):
    config["experiments"] = [
        {"backbone": "bert", "tasks": ["sst2"], "signals": ["energy"], "variants": ["backbone", "half"]}
    ]
    config["seeds"] = [0]
    config["cost"]["samples_per_second"] = 10
    jobs = cut(final_runs(config), "final", 10)
    rows = config["data"]["generated"]["train"] - round(0.1 * config["data"]["generated"]["train"])
    minutes = rows * config["training"]["epochs"] * 1.5 / 10 / 60 / 2
    text = announcement(config, jobs, Path("/here"), parallel=2)
    assert "2 trainings in 1 jobs" in text
    assert f"about {minutes:.0f} minutes" in text
    assert str(Path("/here/results")) in text


def test_rows_by_source(config):
    generated = split_rows(config, "mnli")
    assert generated["fit"] + generated["sel"] == config["data"]["generated"]["train"]
    size = config["data"]["generated"]["validation"]
    assert generated == generated | {"dev": size, "dev_mm": size} and "test" not in generated

    config = read("glue-small")
    assert split_rows(config, "rte") == {"fit": 2490 - 249, "sel": 249, "dev": 277, "test": 3000}
    assert (split_rows(config, "qqp")["fit"], split_rows(config, "qqp")["sel"]) == (363846 - 2000, 2000)
    config["data"]["train_rows"] = {"qqp": 500}
    assert split_rows(config, "qqp")["fit"] == 500
    config["protocol"]["name"] = "field"
    assert split_rows(config, "rte")["fit"] == TASKS["rte"].official_rows["train"]
    assert split_rows(config, "rte")["sel"] == 0


def test_rows_are_counted_as_often_as_they_pass():
    config = read("glue-small")  # RTE: 8 epochs
    runs = [run for run in final_runs(config) if run.task == "rte"]
    final = next(run for run in runs if run.variant == "cosee" and run.signal == "entropy")
    assert passes(config, final) == (8 * 2241, 8 * 249 + 249 + 277 + 3000)
    (grid, *_) = [run for run in grid_runs(config) if run.task == "rte"]
    assert passes(config, grid) == (8 * 2241, 8 * 249 + 249)
    config["protocol"]["name"] = "field"
    assert passes(config, final) == (8 * 2490, 8 * 277 + 277 + 3000)


@pytest.mark.parametrize(
    ("hours", "words"), [(0.4, "24 minutes"), (0.02, "1 minute"), (1.25, "1.2 hours"), (12345.6, "12,346 hours")]
)
def test_durations_are_said_in_words(hours, words):
    assert duration(hours) == words
