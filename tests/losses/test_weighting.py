import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cosee.losses.weighting import batch_mean_weights, sample_weights, simulate_exits, weighted_cross_entropy

M = 12


def weights_of(exit_layer: int, beta: float, num_layers: int = M) -> torch.Tensor:
    return sample_weights(torch.tensor([[exit_layer]]), num_layers, beta)[0]


def random_case(samples=7, layers=5, thresholds=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    signal = torch.rand(samples, layers - 1, generator=generator)
    cross_entropy = torch.rand(samples, layers, generator=generator) * 3
    return signal, cross_entropy, torch.rand(thresholds, generator=generator)


def exits_by_loops(signal, thresholds, harder_is):
    """The definition: the first internal exit that fires, else the last layer."""
    samples, internal = signal.shape
    found = torch.empty(len(thresholds), samples, dtype=torch.int64)
    for k, threshold in enumerate(thresholds.tolist()):
        for n in range(samples):
            found[k, n] = internal
            for m in range(internal):
                value = float(signal[n, m])
                if value < threshold if harder_is == "larger" else value > threshold:
                    found[k, n] = m
                    break
    return found


def loss_by_loops(cross_entropy, exits, beta):
    """Eq. 2-5 as printed: K losses of N samples, each a softmax-weighted sum over M exits."""
    (samples, layers), total = cross_entropy.shape, 0.0
    for row in exits.tolist():
        loss = 0.0
        for n, layer in enumerate(row):
            decay = [torch.exp(torch.tensor(-beta * abs(m - layer), dtype=torch.float64)) for m in range(layers)]
            loss += sum(decay[m] / sum(decay) * cross_entropy[n, m].double() for m in range(layers))
        total += loss / samples
    return total / len(exits)


@pytest.mark.parametrize(
    ("beta", "exit_layer", "first", "expected"),
    [
        (1.0, 0, 0, (0.6321, 0.2325, 0.0855, 0.0315, 0.0116, 0.0043)),
        (1.0, 5, 0, (0.0031, 0.0085, 0.0231, 0.0627, 0.1704, 0.4633, 0.1704, 0.0627, 0.0231, 0.0085, 0.0031, 0.0011)),
        (0.2, 5, 0, (0.0525, 0.0641, 0.0783, 0.0956, 0.1168, 0.1426, 0.1168)),
        (0.2, 0, 0, (0.1994, 0.1632)),
        (0.2, 0, 11, (0.0221,)),
        (0.05, 5, 0, (0.0751,)),
        (0.05, 5, 5, (0.0964,)),
        (0.05, 5, 11, (0.0714,)),
        (10.0, 5, 4, (0.0, 1.0, 0.0)),
    ],
)
def test_golden_weights(beta, exit_layer, first, expected):
    found = weights_of(exit_layer, beta)[first : first + len(expected)]
    # Half a unit of the fourth decimal, and one more where beta = 10 is only nearly one-hot.
    torch.testing.assert_close(found, torch.tensor(expected), rtol=0, atol=1e-4 if beta == 10 else 5.1e-5)


@pytest.mark.parametrize("beta", [0.05, 0.2, 1.0, 10.0])
def test_the_last_exit_mirrors_the_first(beta):
    torch.testing.assert_close(weights_of(M - 1, beta), weights_of(0, beta).flip(0))


@given(st.integers(2, 14), st.floats(0.01, 20), st.data())
def test_weights_sum_to_one_and_peak_where_the_sample_exits(num_layers, beta, data):
    layer = data.draw(st.integers(0, num_layers - 1))
    weights = weights_of(layer, beta, num_layers)
    assert weights.sum() == pytest.approx(1, abs=1e-6)
    assert weights.argmax() == layer
    assert (weights[:layer].diff() >= 0).all() and (weights[layer:].diff() <= 0).all()


@pytest.mark.parametrize("layer", range(M))
def test_without_decay_all_exits_count_the_same(layer):
    torch.testing.assert_close(weights_of(layer, 0.0), torch.full((M,), 1 / M))


def test_a_decay_factor_may_be_a_tensor():
    exits = torch.tensor([[0, 3], [2, 1]])
    assert torch.equal(sample_weights(exits, 5, torch.tensor(0.7)), sample_weights(exits, 5, 0.7))


@pytest.mark.parametrize("beta", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("harder_is", ["larger", "smaller"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_averaged_weights_give_the_loss_of_the_k_fold_loop(beta, harder_is, dtype):
    signal, cross_entropy, thresholds = random_case()
    exits = simulate_exits(signal, thresholds, harder_is)
    found = weighted_cross_entropy(cross_entropy.to(dtype), sample_weights(exits, cross_entropy.shape[1], beta))
    assert float(found) == pytest.approx(float(loss_by_loops(cross_entropy, exits, beta)), rel=2e-7)


@pytest.mark.parametrize("harder_is", ["larger", "smaller"])
@pytest.mark.parametrize("seed", range(5))
def test_simulated_exits_equal_a_loop_with_ties_and_missing_values(harder_is, seed):
    generator = torch.Generator().manual_seed(seed)
    signal = torch.randint(0, 4, (40, 5), generator=generator) / 4  # many values equal a threshold: they do not fire
    signal[torch.rand(40, 5, generator=generator) < 0.2] = torch.nan  # nor do missing ones
    thresholds = torch.tensor([-1.0, 0.0, 0.25, 0.5, 0.6, 0.75, 2.0])
    found = simulate_exits(signal, thresholds, harder_is)
    assert found.dtype == torch.int64
    assert torch.equal(found, exits_by_loops(signal, thresholds, harder_is))
    assert {0, 5} <= set(found.flatten().tolist())


def test_a_signal_that_equals_the_threshold_does_not_fire():
    signal = torch.tensor([[0.5, 0.5]])
    for harder_is in ("larger", "smaller"):
        assert simulate_exits(signal, torch.tensor([0.5]), harder_is).item() == 2


def test_the_two_orientations_mirror_each_other():
    signal, _, thresholds = random_case()
    assert torch.equal(simulate_exits(signal, thresholds, "larger"), simulate_exits(-signal, -thresholds, "smaller"))


def test_no_gradient_flows_through_the_weights():
    logits = torch.randn(6, 4, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def loss(weights_from):
        cross_entropy = -torch.log_softmax(logits, -1)[..., 0]
        signal = torch.sigmoid(-torch.logsumexp(weights_from[:, :-1], -1))
        weights = sample_weights(simulate_exits(signal, torch.tensor([0.1, 0.3]), "larger"), 4, 1.0)
        assert not weights.requires_grad
        return weighted_cross_entropy(cross_entropy, weights)

    (with_graph,) = torch.autograd.grad(loss(logits), logits)
    (with_constants,) = torch.autograd.grad(loss(logits.detach()), logits)
    assert torch.equal(with_graph, with_constants)
    assert with_graph.abs().sum() > 0


@given(st.integers(1, 20), st.integers(2, 12), st.integers(1, 5), st.floats(0, 20), st.integers(0, 2**31))
def test_static_weights_keep_the_total_of_each_exit_and_forget_the_example(samples, layers, thresholds, beta, seed):
    generator = torch.Generator().manual_seed(seed)
    exits = torch.randint(layers, (thresholds, samples), generator=generator)
    weights = sample_weights(exits, layers, beta)
    static = batch_mean_weights(weights)
    assert static.shape == weights.shape
    torch.testing.assert_close(static.mean(dim=0), weights.mean(dim=0))
    torch.testing.assert_close(static.sum(dim=1), torch.ones(samples))
    assert torch.equal(static, static[:1].expand_as(static))
