"""Requests grow with what decides them, and cover what jobs were measured to take."""

from dataclasses import replace

import pytest
from helpers.presets import preset, read

from cosee.io import read_json
from cosee.plan.configuration import configuration
from cosee.plan.jobs import training_jobs
from cosee.plan.requests import (
    START_MINUTES,
    data_memory,
    encoder_size,
    results_memory,
    training_memory,
    training_runtime,
)
from cosee.plan.runs import final_runs
from cosee.synthetic.steps.shipped import ENCODERS


def final_run(config, task="sst2", name="cosee-energy"):
    return next(run for run in final_runs(config) if (run.task, run.name) == (task, name))


def test_an_encoder_that_the_configuration_does_not_describe_is_taken_for_bert_base(config):
    assert encoder_size(preset("bert-base"), "bert").weights == pytest.approx(109e6, rel=0.03)
    assert encoder_size(config, "bert").weights < 3e6
    shipped = read_json(ENCODERS / "mini-bert/config.json")
    assert encoder_size(config, "bert").hidden == shipped["hidden_size"]


def test_memory_grows_with_batch_rules_and_encoder_and_a_gpu_holds_the_activations():
    config = preset("bert-base")
    given = final_run(config)
    run, large = (replace(given, training=given.training | {"batch_size": size}) for size in (32, 128))

    def asked(*runs, on_gpu=False):
        return training_memory(config, runs, on_gpu)

    assert asked(large) > 1.8 * asked(run) and asked(run, large) == asked(large)
    assert asked(replace(large, training=large.training | {"accumulation": 4})) == asked(run)
    checkpoint = encoder_size(config, "bert").weights * 4 / 1e6
    assert asked(replace(run, other_rules=("patience",))) - asked(run) == pytest.approx(2 * checkpoint, abs=1)
    assert 5_000 < asked(large, on_gpu=True) == asked(run, on_gpu=True) < 12_000


def test_time_is_that_of_the_estimate_with_slack_and_grows_with_the_attempt():
    config = preset("bert-base")
    for job in training_jobs(config):
        assert training_runtime(job) >= max(START_MINUTES, 2 * job.minutes)
        assert training_runtime(job, 3) == pytest.approx(3 * training_runtime(job), abs=2)


def test_data_and_results_ask_by_their_examples():
    config = preset("bert-base")
    assert data_memory(config, ["rte"]) < data_memory(config, ["qqp"]) < 8_000
    runs = [run for run in final_runs(config) if run.task == "qqp"]
    assert results_memory(config, runs[:1]) < results_memory(config, runs)
    small = read("bert-base")
    small["data"]["train_rows"] = {"qqp": 1000}
    assert data_memory(configuration(small), ["qqp"]) < data_memory(config, ["qqp"])
