"""Splits of any grammar: each from a stream of its own, labels wrong on purpose, and a rule for pre-training."""

import pytest

from cosee.errors import InputError
from cosee.synthetic.splits import for_pretraining, generate_splits


def draw(rng, genre, seen):
    """An example of its genre and some number, which is also its label and its further column."""
    while True:
        number = int(rng.integers(10**6))
        texts = (f"{genre} {number}", "second")
        if texts not in seen:
            return texts, number % 3, (number,)


def generated(sizes, noise=0.0, seed=1):
    return generate_splits("mnli", seed, sizes, noise, draw, ["number"])


def test_a_split_depends_on_seed_and_name_alone():
    sizes = {"train": 30, "validation_matched": 20, "validation_mismatched": 20, "calibration": 5}
    splits = generated(sizes)
    assert {split: len(frame) for split, frame in splits.items()} == sizes
    assert list(splits["train"].columns) == ["premise", "hypothesis", "label", "idx", "number"]
    assert splits["train"]["idx"].tolist() == list(range(30))
    alone = generated({"validation_mismatched": 20})["validation_mismatched"]
    assert alone.equals(splits["validation_mismatched"]) and alone["premise"].str.startswith("mismatched").all()
    assert not generated({"train": 30}, seed=2)["train"].equals(splits["train"])


def test_noise_replaces_labels_and_nothing_else():
    clean, noisy = (generated({"train": 2000}, noise)["train"] for noise in (0.0, 0.1))
    wrong = clean["label"] != noisy["label"]
    assert (clean["label"] == clean["number"] % 3).all()
    assert wrong.mean() == pytest.approx(0.1, abs=0.02)
    assert clean.drop(columns="label").equals(noisy.drop(columns="label"))
    assert set(noisy["label"]) == {0, 1, 2}


def test_an_empty_split_has_columns_and_an_unknown_one_is_named():
    assert list(generated({"train": 0})["train"].columns) == ["premise", "hypothesis", "label", "idx", "number"]
    with pytest.raises(InputError, match="mini-GLUE's mnli has no split 'validation'; expected train"):
        generated({"validation": 3})


def test_about_every_other_text_is_kept_for_pretraining():
    kept = [for_pretraining((f"text {number}",)) for number in range(1000)]
    assert 430 < sum(kept) < 570
    assert for_pretraining(("one", "two")) == for_pretraining(("one\ntwo",))
