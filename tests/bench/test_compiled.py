"""Compiled layers, and that nothing else differs; the gain depends on the machine."""

import shutil

import pytest
import torch
from helpers.tiny import LAYERS, token_split, write_backbone
from torch import nn
from torch.testing import assert_close

from cosee.bench.compiled import measure_compiled
from cosee.errors import InputError
from cosee.methods.cosee import Cosee
from cosee.models.loading import load_backbone

CPU = torch.device("cpu")


def measured(folder, **changes):
    model = Cosee(dropout=0.0).build(load_backbone(folder), 2, 0).train()
    options = {"batch_size": 8, "rounds": 2, "warmup": 0} | changes
    return model, measure_compiled(model, token_split(20), CPU, **options)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_layer_but_the_last_is_compiled_in_a_copy(precision, tmp_path, monkeypatch):
    folder = write_backbone(tmp_path, "bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    compiled = []
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(nn.Module, "compile", lambda self, **how: compiled.append((self, how)))
    model, frame = measured(folder, precision=precision)
    layers = list(model.backbone.encoder.encoder.layer)
    assert [how for _, how in compiled] == [{"dynamic": True}] * (LAYERS - 1)
    assert not any(copied is layer for copied, _ in compiled for layer in layers)
    for layer, (copied, _) in zip(layers, compiled, strict=False):  # both trained as often, on the same batches
        assert_close(dict(copied.named_parameters()), dict(layer.named_parameters()), rtol=0, atol=1e-6)
    assert list(frame["contender"]) == ["plain", "compiled"]
    assert frame["relative_time"][0] == 1 and (frame.drop(columns="contender") > 0).all(axis=None)


def test_too_few_rows_are_refused(tiny_bert, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: name)
    with pytest.raises(InputError, match="20 examples fill no batch of 32"):
        measured(tiny_bert, batch_size=32)


def test_a_compiler_is_asked_for(tiny_bert, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="install one of them"):
        measured(tiny_bert)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="no compiler")
def test_layers_can_be_compiled(tiny_bert):
    _, frame = measured(tiny_bert)
    assert frame["first_seconds"][1] > 2 * frame["first_seconds"][0]  # something was compiled
