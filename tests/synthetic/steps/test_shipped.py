"""The encoders that come with the package: ordinary folders, small, as their provenance says."""

import numpy as np
import pytest
import torch
from safetensors import safe_open
from transformers import AutoTokenizer

from cosee.errors import InputError
from cosee.io import read_json
from cosee.models.loading import load_backbone
from cosee.provenance import file_digest
from cosee.synthetic.steps import shipped
from cosee.synthetic.steps.pretraining import STAGES
from cosee.synthetic.steps.vocabulary import build_tokenizer

EACH = pytest.mark.parametrize("name", shipped.NAMES)


@EACH
def test_files_are_small_and_those_of_the_provenance(name):
    folder = shipped.ENCODERS / name
    facts = read_json(folder / "provenance.json")
    assert (folder / "model.safetensors").stat().st_size <= 3_000_000
    for file, digest in facts["digests"].items():
        assert file_digest(folder / file) == digest, file
    stages = [stage["name"] for stage in facts["recipe"]["stages"]]
    assert stages == [stage.name for stage in STAGES][: len(stages)] and facts["seconds"] > 0
    assert facts["losses"][-1]["value"] < 0.5 * facts["losses"][0]["value"]


@EACH
def test_the_vocabulary_is_that_of_the_tasks(name):
    read = AutoTokenizer.from_pretrained(shipped.ENCODERS / name)
    assert read.get_vocab() == build_tokenizer().get_vocab()


@EACH
@torch.no_grad()
def test_the_first_layers_are_copied(name, tmp_path):
    shipped.copy_shipped(name, tmp_path / "whole", 12)
    shipped.copy_shipped(name, tmp_path / "part", 4)
    whole, part = load_backbone(tmp_path / "whole").eval(), load_backbone(tmp_path / "part").eval()
    assert (whole.num_layers, part.num_layers) == (12, 4)
    ids = torch.tensor([[2, 120, 130, 140, 3]])
    arguments = (ids, None, torch.zeros_like(ids))
    torch.testing.assert_close(part.states(*arguments)[:, :3], whole.states(*arguments)[:, :3])
    with safe_open(tmp_path / "part/model.safetensors", "np") as file:
        assert not any(".layer.4." in key for key in file.keys())  # noqa: SIM118


def test_what_is_not_shipped_is_refused(tmp_path):
    with pytest.raises(InputError, match="'mini-gpt' does not come with the package; expected one of mini-bert"):
        shipped.copy_shipped("mini-gpt", tmp_path, 12)
    with pytest.raises(InputError, match="13 of mini-bert requested, but it has 12"):
        shipped.copy_shipped("mini-bert", tmp_path, 13)


def test_both_are_made_anew(tmp_path):
    shipped.make_encoders(tmp_path, share=0.001)
    assert not (tmp_path / "state.safetensors").exists()
    for name in shipped.NAMES:
        folder = tmp_path / name
        assert load_backbone(folder).num_layers == 12
        facts = read_json(folder / "provenance.json")
        assert {"recipe", "seconds", "losses", "digests", "hardware", "versions", "commit"} <= set(facts)
        assert facts["digests"]["model.safetensors"] == file_digest(folder / "model.safetensors")
        with safe_open(folder / "model.safetensors", "np") as file:
            assert {file.get_tensor(key).dtype for key in file.keys()} == {np.dtype("float16")}  # noqa: SIM118
    assert len(read_json(tmp_path / "mini-bert/provenance.json")["recipe"]["stages"]) == len(STAGES)
