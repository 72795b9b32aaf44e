"""Cost of one exit, measured in place."""

import torch

from cosee.bench.latency import early_exiting_model
from cosee.bench.shapes import ENCODERS, rows_for
from cosee.bench.visits import measure_visits
from cosee.data.batches import DeviceSplit
from cosee.exiting.rules import RULES


def test_every_part_is_timed_at_every_exit_of_every_row(monkeypatch):
    rows, cpu = rows_for("mini", "sst2", 3), torch.device("cpu")
    model = early_exiting_model(ENCODERS["mini"], rows, cpu, seed=0)
    visited, original = [], model.exits.forward_exit

    def spy(index, *rest):
        visited.append(index)
        return original(index, *rest)

    monkeypatch.setattr(model.exits, "forward_exit", spy)
    measured = measure_visits(model, DeviceSplit(rows, cpu), RULES["energy"], rounds=2, warmup=1)
    assert visited == 3 * 3 * list(range(12))  # rows and rounds, nobody leaving
    assert measured["part"].tolist() == ["layer", "exit", "decision"]
    assert (measured["microseconds"] > 0).all() and (measured["p95"] >= measured["microseconds"]).all()
    assert measured["share"][0] == 100
