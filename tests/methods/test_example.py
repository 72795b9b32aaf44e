"""The example of docs/extending.md: a method and its exit rule, in a file that the project does not have."""

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.tiny import LAYERS, PAD, token_split

import cosee.methods
from cosee.data.batches import DeviceSplit
from cosee.errors import InputError
from cosee.evaluation.frames import RunId, tradeoff_frame
from cosee.evaluation.outputs import load_outputs
from cosee.exiting.online import early_exit
from cosee.methods import rule_named
from cosee.models.loading import load_backbone
from cosee.plan.runs import Run
from cosee.runs.execution import RunInputs, train_and_predict

EXAMPLE = Path(__file__).parents[2] / "docs/examples/margin.py"
TRAINING = {"learning_rate": 0.01, "batch_size": 8, "epochs": 8, "warmup": 0.1}


@pytest.fixture
def extended(tmp_path, monkeypatch):
    """The package with one file and one line more."""
    folder = tmp_path / "methods"
    folder.mkdir()
    shutil.copy(EXAMPLE, folder / "margin.py")
    monkeypatch.setattr(cosee.methods, "__path__", [*cosee.methods.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, "cosee.methods.margin", raising=False)
    (line,) = re.findall(r'^    "(\w+)": "(.*)",$', EXAMPLE.read_text(), re.MULTILINE)
    monkeypatch.setitem(cosee.methods.METHODS, *line)


def test_a_file_and_a_line_make_a_method_with_a_rule_of_its_own(extended, tiny_bert, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Run("bert", "rte", "margin", "margin", None, "margin", "margin", {"period": 3}, TRAINING, seed=0)
    tokens = {
        name: token_split(rows, seed) for seed, (name, rows) in enumerate({"fit": 96, "sel": 48, "dev": 64}.items())
    }
    train_and_predict(
        run,
        RunInputs(tokens, tiny_bert, LAYERS, PAD),
        protocol={"name": "heldout", "criterion": "area"},
        splits=["sel", "dev"],
        keep_weights=True,
        device=torch.device("cpu"),
    )
    predictions, rule = load_outputs(f"{run.folder}/logits-dev.npz"), rule_named("margin")
    curve = tradeoff_frame(RunId("rte", "bert", "margin", 0, run.name), predictions, "dev", rule)
    assert curve["exit_rule"].unique().tolist() == ["margin"]
    assert len(curve) > 10 and curve["speedup"].iloc[[0, -1]].tolist() == [1, LAYERS]
    assert curve["accuracy"].max() > 0.7  # chance is one half

    top_two = np.sort(predictions.logits[5, 1].astype(float))[::-1][:2]
    p = np.exp(top_two - np.logaddexp.reduce(predictions.logits[5, 1].astype(float)))
    assert predictions.exit_scores(rule)[5, 1] == pytest.approx(p[0] - p[1])

    method = cosee.methods.make_method("margin", {})
    assert method.exit_rule() == "margin"
    with pytest.raises(InputError, match="period must be a whole number above 1"):
        cosee.methods.make_method("margin", {"period": 1})

    model = method.build(load_backbone(tiny_bert), 2, 0).eval()
    _, layers = early_exit(model, DeviceSplit(tokens["dev"], torch.device("cpu"), PAD).batch(np.arange(8)), rule, 1.0)
    assert layers.tolist() == [LAYERS - 1] * 8  # no margin surpasses one
