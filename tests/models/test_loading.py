"""Encoders from disk and from configurations: loading, and errors in one sentence."""

import json
import shutil

import pytest
import torch
from helpers.tiny import LAYERS, write_backbone
from safetensors.torch import load_file, save_file

from cosee.errors import InputError
from cosee.models.heads import LinearExits
from cosee.models.loading import check_folder, check_layers, empty_backbone, load_backbone, load_encoder
from cosee.models.multi_exit import MultiExitModel, count_parameters


@pytest.fixture
def copied(tiny_bert, tmp_path):
    """A folder of a tiny BERT that a test may damage."""
    return shutil.copytree(tiny_bert, tmp_path / "bert")


def test_weights_are_float32_whatever_the_file_holds(copied):
    file = copied / "model.safetensors"
    save_file({name: value.bfloat16() for name, value in load_file(file).items()}, file, {"format": "pt"})
    assert {parameter.dtype for parameter in load_backbone(copied).parameters()} == {torch.float32}


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(copied, name):
    (copied / name).unlink()
    for check in (check_folder, load_backbone):
        with pytest.raises(InputError, match=f"no {name}"):
            check(copied)


def change_config(folder, **changes):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize("model_type", ["roformer", "does-not-exist"])
def test_an_unknown_architecture_is_named(copied, model_type):
    change_config(copied, model_type=model_type)
    with pytest.raises(InputError, match=model_type) as caught:
        load_backbone(copied)
    assert "\n" not in str(caught.value)


def test_a_configuration_that_is_not_json_is_named(copied):
    (copied / "config.json").write_text("{")
    with pytest.raises(InputError, match="no configuration"):
        load_backbone(copied)


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.99])
def test_truncated_weights_are_named(copied, share):
    content = (copied / "model.safetensors").read_bytes()
    (copied / "model.safetensors").write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"bert: the weights cannot be loaded") as caught:
        load_backbone(copied)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["pooler.dense.weight", "encoder.layer.2.output.dense.weight"])
def test_missing_weights_are_named_instead_of_drawn(copied, missing):
    file = copied / "model.safetensors"
    weights = load_file(file)
    del weights[missing]
    save_file(weights, file, {"format": "pt"})
    for load in (load_backbone, load_encoder):
        with pytest.raises(InputError, match=missing):
            load(copied)


def test_a_wrong_number_of_layers_is_named(tiny_bert):
    check_layers(tiny_bert, LAYERS)
    with pytest.raises(InputError, match=r"has 4 layers, the configuration has `layers: 12`"):
        check_layers(tiny_bert, 12)


@pytest.fixture(scope="module")
def bert_base():
    with torch.device("meta"):
        return empty_backbone({"model_type": "bert"})


@pytest.mark.parametrize(("num_classes", "extra"), [(2, 16_918), (3, 25_377)])
def test_table_4_counts_on_the_shapes_of_bert_base(bert_base, num_classes, extra):
    with torch.device("meta"):
        plain = MultiExitModel(bert_base, LinearExits(1, 768, num_classes, 0.1, None), [12])
        cosee = MultiExitModel(bert_base, LinearExits(12, 768, num_classes, 0.1, None))
    assert count_parameters(bert_base) == 109_482_240
    assert count_parameters(plain) == 109_482_240 + 768 * num_classes + num_classes
    assert count_parameters(cosee) - count_parameters(plain) == extra


def test_only_known_architectures_can_be_made_empty():
    with torch.device("meta"), pytest.raises(InputError, match="roformer"):
        empty_backbone({"model_type": "roformer"})


def test_shared_layers_are_counted_once(tmp_path):
    deep = load_backbone(write_backbone(tmp_path / "deep", "albert", num_hidden_layers=8))
    flat = load_backbone(write_backbone(tmp_path / "flat", "albert", num_hidden_layers=2))
    assert count_parameters(deep) == count_parameters(flat)
    assert (deep.num_layers, flat.num_layers) == (8, 2)
