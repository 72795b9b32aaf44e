import numpy as np
import pytest
import torch
from helpers.models import make_model
from helpers.tiny import LAYERS, token_split

from cosee.data.batches import DeviceSplit
from cosee.models.prediction import predict


@pytest.fixture(scope="module")
def split():
    return DeviceSplit(token_split(33), torch.device("cpu"))


def test_logits_come_in_the_order_of_the_rows(tiny_bert, split):
    model = make_model(tiny_bert)
    logits = predict(model, split, 8).logits
    assert logits.shape == (33, LAYERS, 2) and logits.dtype == np.float32
    with torch.no_grad():
        alone = np.concatenate([model(split.batch(np.array([n]))).numpy() for n in range(33)])
    np.testing.assert_allclose(logits, alone, rtol=1e-4, atol=1e-6)
    assert np.abs(np.diff(logits, axis=0)).max() > 1e-3


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_the_batch_size_moves_logits_by_rounding_only(tiny_bert, split, batch_size):
    model = make_model(tiny_bert)
    np.testing.assert_allclose(
        predict(model, split, batch_size).logits, predict(model, split, 8).logits, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("training", [True, False])
def test_dropout_is_off_and_the_mode_is_kept(tiny_bert, split, training):
    model = make_model(tiny_bert, dropout=0.5).train(training)
    first = predict(model, split, 8).logits
    assert np.array_equal(first, predict(model, split, 8).logits)
    assert all(module.training == training for module in model.modules())


def test_training_goes_on_after_a_prediction(tiny_bert, split):
    model = make_model(tiny_bert)
    predict(model, split, 8)
    model(split.batch(np.arange(4))).sum().backward()
    assert model.exits.weight.grad.abs().sum() > 0
