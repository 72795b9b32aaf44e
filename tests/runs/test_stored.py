"""Finished runs read from their folders, and errors about missing files."""

import numpy as np
import pytest

from cosee.errors import InputError
from cosee.evaluation.frames import RunId
from cosee.evaluation.outputs import ExitOutputs, save_outputs
from cosee.io import write_json
from cosee.runs.stored import read_run, run_id, stored_predictions

FACTS = {
    "run": {"task": "rte", "backbone": "bert", "variant": "wo_osc", "seed": 3, "name": "wo_osc-energy"},
    "method": {},
    "selection_split": "sel",
}


def test_a_run_is_read_and_named(tmp_path):
    write_json(tmp_path / "run.json", FACTS)
    assert read_run(tmp_path) == FACTS
    assert run_id(FACTS) == RunId(task="rte", backbone="bert", variant="wo_osc", seed=3, model="wo_osc-energy")


def test_no_run(tmp_path):
    with pytest.raises(InputError, match=r"run\.json: no such file"):
        read_run(tmp_path)
    for facts in (
        {"run": {}},
        FACTS | {"run": "rte"},
        FACTS | {"run": {"task": "rte"}},
        FACTS | {"method": None},
        FACTS | {"selection_split": 3},
    ):
        write_json(tmp_path / "run.json", facts)
        with pytest.raises(InputError, match="describes no run"):
            read_run(tmp_path)
    write_json(tmp_path / "run.json", FACTS | {"run": FACTS["run"] | {"task": "cola"}})
    with pytest.raises(InputError, match="the task 'cola' is unknown; expected one of rte, "):
        read_run(tmp_path)


def test_predictions_of_a_split_or_what_there_is_instead(tmp_path):
    with pytest.raises(InputError, match=r"no predictions of the split 'dev'; the run has none\."):
        stored_predictions(tmp_path, "dev")
    logits = np.random.default_rng(0).normal(size=(5, 3, 2))
    for split in ("sel", "fit"):
        rows = np.zeros(5, dtype=int)
        save_outputs(tmp_path / f"logits-{split}.npz", ExitOutputs(logits, rows, rows, 3, (1, 2, 3), (1, 2, 3)))
    assert np.array_equal(stored_predictions(tmp_path, "sel").logits, logits)
    save_outputs(tmp_path / "logits-sel@pcee.npz", ExitOutputs(-logits, rows, rows, 3, (1, 2, 3), (1, 2, 3)))
    assert np.array_equal(stored_predictions(tmp_path, "sel", "pcee").logits, -logits)
    assert np.array_equal(stored_predictions(tmp_path, "sel", "patience").logits, logits)
    with pytest.raises(InputError, match=r"no predictions of the split 'dev'; the run has fit, sel\."):
        stored_predictions(tmp_path, "dev")
