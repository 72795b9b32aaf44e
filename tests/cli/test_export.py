"""`cosee export`: a folder that transformers reads; its contents are tested in tests/export."""

import pytest
import torch
from safetensors.torch import load_file

from cosee.io import read_json


def test_exported_folders_hold_the_run(made):
    trained = load_file(made / "runs/mine/model.safetensors")
    for name, rule in {"exported": "energy", "exported-entropy": "entropy"}.items():
        weights = load_file(made / name / "model.safetensors")
        assert all(torch.equal(weights[f"model.{key}"], value) for key, value in trained.items())
        assert read_json(made / name / "config.json")["rule"] == rule
    assert "| generated rows, SST-2 |" in (made / "exported-entropy/README.md").read_text()
    assert "source not recorded" in (made / "exported/README.md").read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("--out exported", "exported: exists already"),
        ("--backbone none", "none: no config.json"),
        ("--rule sampled", "is offline-only"),
        ("--manifest none.json", "none.json: no such file"),
        ("--manifest runs/mine/run.json", "run.json: is no manifest; expected the manifest.json"),
    ],
)
def test_wrong_input(change, message, refused, made, tmp_path):
    assert message in refused(f"export runs/mine --backbone resources/backbones/bert --out {tmp_path}/x {change}")
    assert not list(tmp_path.iterdir())
