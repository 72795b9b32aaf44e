from dataclasses import replace

import pytest

from cosee.plan.captions import CAPTIONS, PROTOCOLS, Context

CONTEXT = Context(
    preset="mini",
    data="generated rows",
    backbones={"bert": "mini-BERT, 12 layers", "albert": "mini-ALBERT, 12 layers"},
    protocol="heldout",
    seeds=(1, 2, 3),
)


def test_sentence_names_data_backbone_split_protocol_and_seeds():
    sentence = CONTEXT.sentence("bert", "train and dev")
    for fact in ("generated rows", "mini-BERT, 12 layers", "train and dev", PROTOCOLS["heldout"], "Seeds: 1, 2, 3."):
        assert fact in sentence
    assert "mini-ALBERT" not in sentence
    assert sentence.endswith("Preset: mini.")


def test_sentence_without_a_backbone_names_all_of_them():
    assert "mini-BERT, 12 layers and mini-ALBERT, 12 layers" in CONTEXT.sentence()


def test_field_protocol_says_that_dev_was_chosen_on():
    field = Context("paper", "GLUE", {"bert": "BERT-base"}, "field", (42,))
    assert "chosen on dev itself" in field.sentence()
    assert "Seed: 42." in field.sentence()


def test_seeds_that_only_some_runs_have_are_told_apart():
    some = replace(CONTEXT, seeds=(0,), more_seeds=(1, 2))
    assert "Seed: 0 (some methods and tasks also 1, 2)." in some.sentence()
    assert "Seed" not in replace(CONTEXT, seeds=()).sentence()


def test_generated_data_is_never_called_glue():
    assert "GLUE" not in CONTEXT.sentence()


@pytest.mark.parametrize("name", CAPTIONS)
def test_captions_end_with_the_sentence(name):
    caption = CONTEXT.caption(name, "bert")
    assert caption == f"{CAPTIONS[name]} {CONTEXT.sentence('bert')}"
    assert CAPTIONS[name].endswith(".")
    # The only GLUE in them is the test set of the reported numbers.
    assert CAPTIONS[name].count("GLUE") == CAPTIONS[name].count("values reported on the GLUE test set")
