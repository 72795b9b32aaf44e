"""The prepared call: order, time and faults with stand-ins; every measurement once at tiny sizes."""

import json
import subprocess
import sys

import pandas as pd
import pytest
import torch
from helpers.presets import CONFIGS
from helpers.tiny import LAYERS, token_split

from cosee.bench.prepared import REHEARSAL, main, measurements, trainings, work_through, write_plan
from cosee.data.tokens import save_tokens
from cosee.errors import InputError
from cosee.io import read_frame, read_json

WHERE = {"machine": "a machine"}


def part(name, minutes=1.0, error=None):
    def measured():
        if error:
            raise error
        return pd.DataFrame({"value": [1]})

    return name, minutes, measured


def outcomes_of(parts, folder, until):
    ticks = iter(range(0, 10_000, 30))  # every look at the clock is half a minute later
    return work_through(parts, folder, until, WHERE, clock=lambda: float(next(ticks)))["outcome"].tolist()


def test_parts_that_do_not_fit_the_time_are_left_out_and_shorter_ones_still_done(tmp_path):
    found = outcomes_of([part("a"), part("long", 5), part("b")], tmp_path, until=200)
    assert found == ["done", "no time left", "done"]
    assert read_frame(tmp_path / "a.csv").to_dict("records") == [{"value": 1, "machine": "a machine"}]
    assert not (tmp_path / "long.csv").exists()


def test_a_part_that_fails_costs_that_part_alone(tmp_path):
    found = outcomes_of([part("a", error=RuntimeError("no kernel")), part("b")], tmp_path, until=1000)
    assert found == ["RuntimeError: no kernel", "done"]
    assert read_frame(tmp_path / "parts.csv")["part"].tolist() == ["a", "b"]


def test_every_measurement_runs_at_tiny_sizes():
    frames = {name: measured() for name, _, measured in measurements(REHEARSAL, torch.device("cpu"))[1:]}
    assert set(frames["step_ratio"]["contender"]) == {"vanilla", "cosee"}
    assert 0 < frames["peak_share"].set_index("contender").loc["training step", "share"] < 100
    assert set(frames["throughput"]["lengths"]) == {"sst2", "mnli"}
    assert set(frames["early_exit"]["check_every"]) == {1, 2, 4}
    assert frames["small_trainings"]["relative_speed"].tolist() == [1.0]


def test_the_plan_of_a_preset_is_trained_and_not_again(tmp_path, tiny_bert, monkeypatch):
    write_plan([CONFIGS / "evidence/pooler.yaml"], tmp_path / "runs.json", None)
    plan = read_json(tmp_path / "runs.json")
    assert len(plan["runs"]) == 18
    plan["runs"] = plan["runs"][:1]
    plan["runs"][0] |= {"backbone": "tiny"}
    plan["runs"][0]["training"] |= {"epochs": 1}
    (tmp_path / "short.json").write_text(json.dumps(plan))
    tokens = {
        name: token_split(count, seed) for seed, (name, count) in enumerate({"fit": 40, "sel": 24, "dev": 20}.items())
    }
    save_tokens(tmp_path / "tokens/tiny/sst2.npz", tokens)
    (tmp_path / "backbones").mkdir()
    (tmp_path / "backbones/tiny").symlink_to(tiny_bert)
    places = (tmp_path / "short.json", tmp_path / "tokens", tmp_path / "backbones", tmp_path / "out", 1e9)
    ((name, _, train),) = trainings(*places)
    assert name.startswith("training-tiny-sst2-")
    table = train()
    folder = tmp_path / "out" / table["run"].iloc[0]
    assert (folder / "logits-dev.npz").is_file() and (folder / "logits-sel.npz").is_file()
    assert read_json(folder / "run.json")["parameters"] > LAYERS
    assert trainings(*places) == []


def test_a_preset_with_a_grid_needs_the_rate_that_was_found(tmp_path):
    files = [CONFIGS / "evidence/six-layers.yaml"]
    with pytest.raises(InputError, match="give the learning rate that was found"):
        write_plan(files, tmp_path / "runs.json", None)
    main(["--plan", str(files[0]), "--learning-rate", "0.0003", "--out", str(tmp_path / "runs.json")])
    runs = read_json(tmp_path / "runs.json")["runs"]
    assert len(runs) == 25 and {run["training"]["learning_rate"] for run in runs} == {0.0003}


def test_trainings_need_torch_and_its_companions_only():
    blocked = ("pydantic", "scipy", "snakemake", "datasets", "pyarrow", "matplotlib", "seaborn")
    program = f"""
import sys
sys.modules |= dict.fromkeys({blocked})  # importing them fails
import cosee.bench.prepared, cosee.runs.execution
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
