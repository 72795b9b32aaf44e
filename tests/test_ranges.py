"""Ranges of settings: allowed values, and their use by methods and training."""

import re
from dataclasses import dataclass
from typing import get_type_hints

import pytest

from cosee import ranges
from cosee.errors import InputError
from cosee.methods import METHODS, make_method, method_class
from cosee.ranges import check_ranges
from cosee.training.settings import TrainingSettings

TRAINING = {"learning_rate": 1e-3, "batch_size": 8, "epochs": 1}


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("PositiveFloat", [1e-9, 2], [0, -1.0, "1", None, True, [1.0], float("inf"), float("nan")]),
        ("NonNegativeFloat", [0, 0.5], [-1e-9]),
        ("Fraction", [0, 1, 0.5], [-0.1, 1.1]),
        ("FractionBelowOne", [0, 0.99], [1, -0.1]),
        ("OpenFraction", [0.01, 0.99], [0, 1]),
        ("PositiveInt", [1, 7], [0, -1, 2.0, True]),
        ("IntAboveOne", [2], [1, 2.5]),
        ("NonNegativeInt", [0, 3], [-1, 1.0]),
    ],
)
def test_a_range_allows_what_its_words_say(name, inside, outside):
    @dataclass
    class Settings:
        value: getattr(ranges, name)

    for value in inside:
        check_ranges(Settings, {"value": value}, "here")
    for value in outside:
        with pytest.raises(InputError, match=rf"^here: value must be .+, got {re.escape(repr(value))}\.$"):
            check_ranges(Settings, {"value": value}, "here")


@pytest.mark.parametrize("name", METHODS)
def test_every_number_of_a_method_has_a_range(name):
    plain = {
        key for key, hint in get_type_hints(method_class(name), include_extras=True).items() if hint in (int, float)
    }
    assert not plain


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        ("cosee", {"num_thresholds": 0}, "method cosee: num_thresholds must be a whole number above 0, got 0."),
        ("deebert", {"first_share": 1.5}, "method deebert: first_share must be above 0 and below 1, got 1.5."),
        ("disentangledee", {"rate": -1.0}, "method disentangledee: rate must be above 0, got -1.0."),
        (
            "consistentee",
            {"num_rollouts": 1},
            "method consistentee: num_rollouts must be a whole number above 1, got 1.",
        ),
        ("berxit", {"lte": 3}, "method berxit: lte must be true or false, got 3."),
        ("berxit", {"dropout": False}, "method berxit: dropout must be from 0 to below 1, got False."),
        ("cosee", {"alpha": "0.1"}, "method cosee: alpha must be 0 or more, got '0.1'."),
        ("cosee", {"signal": "margin"}, "method cosee: signal must be energy or entropy or softmax, got 'margin'."),
        ("cosee", {"osc_average": 1}, "method cosee: osc_average must be present or all, got 1."),
        ("finetune", {"depth": "two"}, "method finetune: depth must be a whole number or None, got 'two'."),
    ],
)
def test_a_method_refuses_what_is_out_of_range(name, settings, sentence):
    with pytest.raises(InputError) as caught:
        make_method(name, settings)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"batch_size": 8.0}, "training: batch_size must be a whole number above 0, got 8.0."),
        ({"precision": 16}, "training: precision must be fp32 or bf16, got 16."),
        ({"learning_rate": "2e-5"}, "training: learning_rate must be above 0, got '2e-5'."),
        ({"learning_rate": float("inf")}, "training: learning_rate must be above 0, got inf."),
        ({"weight_decay": -0.1}, "training: weight_decay must be 0 or more, got -0.1."),
        ({"accumulation": 3}, "training: a batch of 8 examples cannot be split into 3 passes of equal size"),
    ],
)
def test_training_refuses_what_is_out_of_range(changes, sentence):
    with pytest.raises(InputError, match=f"^{sentence}"):
        TrainingSettings(**TRAINING | changes)
