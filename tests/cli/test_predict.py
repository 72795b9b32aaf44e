"""`cosee predict`: the outputs that the run itself stored, for the same examples."""

import numpy as np
import pytest

from cosee.io import load_arrays

GOOD = "predict runs/mine --tokens resources/tokens/bert/sst2.npz --backbone resources/backbones/bert --out {}"


@pytest.mark.parametrize(("file", "run"), [("logits-dev.npz", "mine"), ("pabee-dev.npz", "pabee")])
def test_predictions_are_those_that_the_run_left(file, run, made):
    found, stored = load_arrays(made / file), load_arrays(made / "runs" / run / "logits-dev.npz")
    assert found.keys() == stored.keys()
    assert all(np.array_equal(array, stored[name]) for name, array in found.items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("--out x.csv", "--out x.csv: expected a name that ends in .npz"),
        ("--split test", "sst2.npz: no split 'test'; it has fit, sel, dev"),
        ("--tokens none.npz", "none.npz: no such file"),
        ("--backbone none", "none: no config.json"),
    ],
)
def test_wrong_input(change, message, refused, made, tmp_path):
    assert message in refused(f"{GOOD.format(tmp_path / 'x.npz')} {change}")
    assert not list(tmp_path.iterdir())


def test_runs_that_cannot_be_loaded(refused, made, tiny_albert, tmp_path):
    line = GOOD.format(tmp_path / "x.npz")
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "run.json").write_bytes((made / "runs/mine/run.json").read_bytes())
    assert "name the variant in `keep_weights`" in refused(line.replace("runs/mine", str(bare)))
    (bare / "model.safetensors").write_bytes((made / "runs/mine/model.safetensors").read_bytes()[:-100])
    assert "model.safetensors: damaged" in refused(line.replace("runs/mine", str(bare)))
    (bare / "model.safetensors").write_bytes((made / "runs/pabee/model.safetensors").read_bytes())
    text = refused(line.replace("runs/mine", str(bare)).replace("resources/backbones/bert", str(tiny_albert)))
    assert "does not fit the encoder (Missing key(s)" in text and len(text) < 500
    (bare / "run.json").write_text("{}")
    assert "describes no run" in refused(line.replace("runs/mine", str(bare)))
    assert not (tmp_path / "x.npz").exists()
