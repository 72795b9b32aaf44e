"""The estimate follows from numbers of examples, epochs and depth."""

from pathlib import Path

import pytest
from helpers.presets import read

from cosee.data.tasks import TASKS
from cosee.plan.configuration import configuration
from cosee.plan.cost import announcement, duration, example_counts, split_rows, training_minutes
from cosee.plan.runs import final_runs
from cosee.plan.search import grid_runs


def test_estimate_counts_examples_epochs_and_depth(mini):
    mini["experiments"] = [{"tasks": ["sst2"], "variants": ["backbone", "half"]}]
    mini["seeds"] = [0]
    mini["cost"]["samples_per_second"] = 2
    config = configuration(mini)
    examples = round((1 - config.protocol.sel_fraction) * config.data.generated.train)
    minutes = [examples * config.training.epochs * share / 2 / 60 for share in (1, 0.5)]
    assert [training_minutes(config, run) for run in final_runs(config)] == pytest.approx(minutes)
    text = announcement(config, 2, 1, sum(minutes), Path("/here"), parallel=2, disk="disk: full")
    assert "2 trainings in 1 jobs" in text and "disk: full" in text
    assert f"about {sum(minutes) / 2:.0f} minutes" in text
    assert str(Path("/here/results")) in text


def test_examples_by_source(config):
    generated = split_rows(config, "mnli")
    assert generated["fit"] + generated["sel"] == config.data.generated.train
    size = config.data.generated.validation
    assert generated == generated | {"dev": size, "dev_mm": size} and "test" not in generated

    assert generated["cal"] == config.protocol.cal_max == 500

    small = read("glue-small")
    assert split_rows(configuration(small), "rte") == {"fit": 2490 - 249, "sel": 249, "dev": 277, "test": 3000}
    qqp = split_rows(configuration(small), "qqp")
    assert (qqp["fit"], qqp["sel"]) == (363846 - 2000, 2000)
    small["protocol"]["cal_max"] = 1000
    assert split_rows(configuration(small), "rte") == {
        **{"fit": 2490 - 2 * 249, "sel": 249, "cal": 249, "dev": 277, "test": 3000}
    }
    assert split_rows(configuration(small), "qqp")["cal"] == 1000
    small["data"]["train_rows"] = {"qqp": 500}
    assert split_rows(configuration(small), "qqp")["fit"] == 500
    small["protocol"]["name"] = "field"
    assert split_rows(configuration(small), "rte")["fit"] == TASKS["rte"].official_rows["train"]
    assert split_rows(configuration(small), "rte")["sel"] == 0


def test_examples_are_counted_as_often_as_they_pass():
    small = read("glue-small")  # RTE: 8 epochs
    config = configuration(small)
    runs = [run for run in final_runs(config) if run.task == "rte"]
    final = next(run for run in runs if run.variant == "cosee" and run.signal == "entropy")
    assert example_counts(config, final) == (8 * 2241, 8 * 249 + 249 + 277 + 3000)
    (grid, *_) = [run for run in grid_runs(config) if run.task == "rte"]
    assert example_counts(config, grid) == (8 * 2241, 8 * 249 + 249)
    small["protocol"]["name"] = "field"
    assert example_counts(configuration(small), final) == (8 * 2490, 8 * 277 + 277 + 3000)


@pytest.mark.parametrize(
    ("hours", "words"), [(0.4, "24 minutes"), (0.02, "1 minute"), (1.25, "1.2 hours"), (12345.6, "12,346 hours")]
)
def test_durations_are_said_in_words(hours, words):
    assert duration(hours) == words
