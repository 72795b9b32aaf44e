import json
import shutil

import pytest
import torch
from helpers.tiny import mpnet_tokenizer, tokenizer
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models

from cosee.errors import InputError
from cosee.models.fetching import check_tokenizer, fetch_backbone
from cosee.models.loading import load_backbone


@pytest.fixture
def source(tiny_bert, tmp_path):
    """An encoder folder that a test may damage."""
    return shutil.copytree(tiny_bert, tmp_path / "source")


def refused(source, target) -> str:
    """The message of a failed fetch, which must leave nothing behind."""
    with pytest.raises(InputError) as caught:
        fetch_backbone(str(source), None, target)
    assert not target.exists()
    assert {entry.name for entry in target.parent.iterdir()} <= {"source"}
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["tiny_bert", "tiny_albert", "tiny_mpnet"])
def test_a_local_encoder_arrives_whole_and_alone(kind, request, tmp_path):
    folder = request.getfixturevalue(kind)
    fetch_backbone(str(folder), None, tmp_path / "deep" / "bert")
    assert [entry.name for entry in (tmp_path / "deep").iterdir()] == ["bert"]
    files = sorted(entry.name for entry in (tmp_path / "deep" / "bert").iterdir())
    assert files == ["config.json", "model.safetensors", "tokenizer.json"]
    fetched, original = load_backbone(tmp_path / "deep" / "bert").state_dict(), load_backbone(folder).state_dict()
    assert all(torch.equal(value, original[name]) for name, value in fetched.items())
    encoded = Tokenizer.from_file(str(tmp_path / "deep" / "bert" / "tokenizer.json")).encode("the film", "was good")
    own = (mpnet_tokenizer if kind == "tiny_mpnet" else tokenizer)().encode("the film", "was good")
    assert (encoded.ids, encoded.type_ids) == (own.ids, own.type_ids)


def test_a_tokenizer_that_pads_otherwise_is_of_another_encoder(source, tmp_path):
    mpnet_tokenizer().save(str(source / "tokenizer.json"))
    assert "pads with the id 1, its encoder with 0" in refused(source, tmp_path / "bert")


@pytest.mark.parametrize("damage", ["all", "one"])
def test_weights_that_are_no_numbers_are_refused(damage, source, tmp_path):
    weights = load_file(source / "model.safetensors")
    name = "encoder.layer.1.output.dense.bias"
    damaged = weights if damage == "all" else {name: weights[name]}
    weights |= {key: value * float("nan") for key, value in damaged.items()}
    save_file(weights, source / "model.safetensors", {"format": "pt"})
    assert "are not all finite numbers; fetch or train them again." in refused(source, tmp_path / "bert")


@pytest.mark.parametrize(("dropout", "expected"), [(None, 0.1), (0.0, 0.0), (0.3, 0.3)])
def test_the_encoder_is_given_the_dropout_that_is_asked_for(source, tmp_path, dropout, expected):
    fetch_backbone(str(source), None, tmp_path / "bert", dropout)
    layers = [module for module in load_backbone(tmp_path / "bert").modules() if isinstance(module, torch.nn.Dropout)]
    assert {layer.p for layer in layers} == {expected}


def test_what_exits_read_is_said_to_the_encoder(source, tmp_path):
    fetch_backbone(str(source), None, tmp_path / "bert", exit_state="mean")
    assert load_backbone(tmp_path / "bert").exit_state == "mean"
    fetch_backbone(str(tmp_path / "bert"), None, tmp_path / "again")
    assert load_backbone(tmp_path / "again").exit_state == "mean"


def test_half_precision_becomes_float32(source, tmp_path):
    file = source / "model.safetensors"
    save_file({name: value.half() for name, value in load_file(file).items()}, file, {"format": "pt"})
    fetch_backbone(str(source), None, tmp_path / "bert")
    assert {value.dtype for value in load_file(tmp_path / "bert" / "model.safetensors").values()} == {torch.float32}


def test_a_vocabulary_file_is_enough(source, tmp_path):
    vocabulary = tokenizer().get_vocab()
    (source / "tokenizer.json").unlink()
    (source / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.get)))
    fetch_backbone(str(source), None, tmp_path / "bert")
    fetched = Tokenizer.from_file(str(tmp_path / "bert" / "tokenizer.json"))
    assert fetched.encode("The film", "was good").ids == tokenizer().encode("the film", "was good").ids


def test_a_missing_folder_is_named(tmp_path):
    assert f"no folder {tmp_path / 'nowhere'}" in refused(tmp_path / "nowhere", tmp_path / "bert")


@pytest.mark.parametrize(
    ("name", "what"),
    [("config.json", "configuration"), ("model.safetensors", "weights"), ("tokenizer.json", "tokenizer")],
)
def test_a_missing_file_is_named(source, tmp_path, name, what):
    (source / name).unlink()
    assert f"no {what}; expected {name}" in refused(source, tmp_path / "bert")


def test_truncated_weights_are_named(source, tmp_path):
    file = source / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    assert f"{source}: the weights cannot be loaded" in refused(source, tmp_path / "bert")


def test_a_pooler_is_not_drawn_at_random(source, tmp_path):
    file = source / "model.safetensors"
    weights = load_file(file)
    save_file({k: v for k, v in weights.items() if not k.startswith("pooler")}, file, {"format": "pt"})
    assert f"{source}: the weights lack pooler.dense.bias" in refused(source, tmp_path / "bert")


def test_an_unknown_architecture_is_named(source, tmp_path):
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | {"model_type": "roformer"}))
    assert "'roformer'" in refused(source, tmp_path / "bert")


def test_a_damaged_tokenizer_is_named(source, tmp_path):
    (source / "tokenizer.json").write_text("{")
    assert str(source) in refused(source, tmp_path / "bert")


def test_a_tokenizer_without_english_words_is_refused(source, tmp_path):
    made = Tokenizer(models.WordLevel({"[UNK]": 0, "[PAD]": 1, "der": 2}, unk_token="[UNK]"))
    made.save(str(source / "tokenizer.json"))
    message = refused(source, tmp_path / "bert")
    assert "plain English words into unknown" in message and str(source) in message


def test_a_tokenizer_without_a_fast_form_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"some/encoder has no fast form"):
        check_tokenizer(tmp_path / "tokenizer.json", "some/encoder")


def test_a_hub_that_cannot_be_reached_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="google-bert/bert-base-uncased at 86b5e0934494") as caught:
        fetch_backbone("google-bert/bert-base-uncased", "86b5e0934494bd15c9632b12f734a8a67f723594", tmp_path / "bert")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
