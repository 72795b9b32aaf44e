"""Ensembles of exits against their definition, and rules that answer by them."""

import numpy as np
import pytest
import torch
from helpers.ensembles import geometric_of, majority_of, mean_of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cosee.exiting.ensembles import arithmetic_mean, geometric_mean, majority, votes
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers

FEW = settings(max_examples=25)
SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 6), st.sampled_from([2, 3]))
LOGITS = SHAPES.flatmap(lambda shape: arrays(np.float64, shape, elements=st.floats(-30, 30)))
DEFINITIONS = {geometric_mean: geometric_of, arithmetic_mean: mean_of, majority: majority_of}
EACH = pytest.mark.parametrize("ensemble", DEFINITIONS, ids=lambda ensemble: ensemble.__name__)


def softmax(scores):
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


@EACH
@FEW
@given(logits=LOGITS)
def test_the_softmax_of_an_ensemble_is_its_definition(ensemble, logits):
    expected = [DEFINITIONS[ensemble](exits) for exits in logits.tolist()]
    np.testing.assert_allclose(softmax(ensemble(logits)), expected, rtol=1e-9, atol=1e-12)


@EACH
@FEW
@given(logits=LOGITS)
def test_torch_and_numpy_agree(ensemble, logits):
    for dtype, rtol in ((np.float64, 1e-9), (np.float32, 1e-3)):
        with_numpy, with_torch = ensemble(logits.astype(dtype)), ensemble(torch.from_numpy(logits.astype(dtype)))
        assert with_numpy.dtype == with_torch.numpy().dtype == dtype
        np.testing.assert_allclose(with_torch.numpy(), with_numpy, rtol=rtol, atol=1e-5)


@EACH
@FEW
@given(logits=LOGITS, scale=st.sampled_from([0, 1, 1e4, 1e30]))
def test_saturated_logits_stay_finite(ensemble, logits, scale):
    assert np.isfinite(ensemble(scale * logits)).all()


@EACH
@FEW
@given(logits=LOGITS, shift=st.floats(-5, 5))
def test_an_ensemble_of_equal_exits_answers_as_each_of_them(ensemble, logits, shift):
    equal = np.repeat(logits[:, :1], 5, axis=1)
    answers = ensemble(equal + shift).argmax(axis=-1)
    chosen = np.take_along_axis(equal, answers[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(chosen, equal.max(axis=-1), atol=1e-9)  # of equal logits either is right


@FEW
@given(logits=LOGITS)
def test_a_majority_is_never_outvoted(logits):
    counts = votes(logits)
    answers = majority(logits).argmax(axis=-1)
    given_votes = np.take_along_axis(counts, answers[..., None], axis=-1)[..., 0]
    np.testing.assert_array_equal(given_votes, counts.max(axis=-1))
    assert (counts.sum(axis=-1) == np.arange(1, logits.shape[1] + 1)).all()


def test_the_ensembles_differ_where_one_exit_is_sure_and_two_are_not():
    exits = np.log([[[0.9, 0.1], [0.45, 0.55], [0.45, 0.55]]])
    answers = {rule: RULES[rule].answers(exits).argmax(axis=-1)[0].tolist() for rule in ("geometric", "mean", "voting")}
    assert answers == {"geometric": [0, 0, 0], "mean": [0, 0, 0], "voting": [0, 0, 1]}
    veto = np.log([[[1e-9, 1 - 1e-9], [0.9, 0.1], [0.9, 0.1]]])  # a product hears the exit that is sure
    assert RULES["geometric"].answers(veto)[0, 2].argmax() == 1 and RULES["mean"].answers(veto)[0, 2].argmax() == 0


def test_confidence_accumulates_while_neighbors_agree_and_starts_anew_where_they_do_not():
    exits = np.log([[[0.8, 0.2], [0.7, 0.3], [0.4, 0.6], [0.1, 0.9]]])
    scores = RULES["beem"].score(exits, None)
    np.testing.assert_allclose(scores, [[0.8, 0.8 + 1.4, 1.8, 1.8 + 3.6]])
    assert exit_layers(scores, 2.0, RULES["beem"].harder_is).tolist() == [1]


def test_only_ensembles_change_the_answer():
    logits = np.random.default_rng(0).normal(0, 2, (50, 6, 3))
    changing = {name for name, rule in RULES.items() if rule.answers(logits) is not logits}
    assert changing == {"geometric", "mean", "voting"}
