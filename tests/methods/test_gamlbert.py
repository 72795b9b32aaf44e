import numpy as np
import pytest
import torch
from helpers.objectives import NoWaiting, batch_of
from helpers.training import FIT, Killed, assert_same, die_after, run, spying
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from cosee.losses.per_exit import exit_cross_entropies, mutual_distillation
from cosee.methods.cosee import Cosee
from cosee.methods.gamlbert import GamlBert, WithGradient, align
from cosee.models.loading import load_backbone
from cosee.training.optimizer import make_optimizer, update
from cosee.training.schedule import Schedule

CPU, SCHEDULE = torch.device("cpu"), Schedule(5, 2)
VECTORS = arrays(np.float64, 4, elements=st.floats(-10, 10, width=16))


def gradients(method, model, batch):
    """What `backward` leaves in the parameters, by name, and the loss with its parts."""
    loss, parts = method.objective(SCHEDULE, 0, CPU)(model, batch, 0)
    model.zero_grad()
    loss.backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}, loss, parts


# --- alignment --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gradient", "reference", "expected"),
    [
        ((1, 0), (-1, 1), (0.5, 0.5)),  # a conflict: the part along (-1, 1) goes
        ((1, 0), (-1000, 1000), (0.5, 0.5)),  # how long the reference is does not matter
        ((1, 0), (1, 1), (1, 0)),  # an agreement
        ((1, 0), (0, 1), (1, 0)),  # neither
        ((2, -4), (-1, 2), (0, 0)),  # nothing but a conflict
        ((1, 0), (0, 0), (1, 0)),  # nothing to agree with
        ((0, 0), (1, 0), (0, 0)),
    ],
)
def test_only_the_conflicting_part_is_taken_out(gradient, reference, expected):
    gradient, reference, expected = (torch.tensor(v, dtype=torch.float32) for v in (gradient, reference, expected))
    torch.testing.assert_close(align(gradient, reference), expected)
    torch.testing.assert_close(align(gradient[None, :, None], reference[None, :, None]), expected[None, :, None])


@settings(max_examples=50)
@given(VECTORS, VECTORS)
def test_an_aligned_gradient_never_conflicts_and_loses_nothing_else(gradient, reference):
    aligned = align(torch.from_numpy(gradient), torch.from_numpy(reference)).numpy()
    assert aligned @ reference >= -1e-9
    if gradient @ reference >= 0:
        np.testing.assert_array_equal(aligned, gradient)
    elif np.linalg.norm(reference) > 1e-6:
        across = gradient - (gradient @ reference) / (reference @ reference) * reference
        np.testing.assert_allclose(aligned, across, atol=1e-9)


def test_a_loss_can_carry_any_value_and_gradient():
    parameters = [torch.randn(3, requires_grad=True), torch.randn(2, 2, requires_grad=True)]
    wanted = [torch.randn(3), torch.randn(2, 2)]
    value = (parameters[0] ** 2).sum()
    loss = WithGradient.apply(value.detach(), wanted, *parameters)
    assert loss == value
    (loss / 4).backward()
    for parameter, gradient in zip(parameters, wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient / 4)


# --- the objective ----------------------------------------------------------------------------------------------------


class TwoExits(nn.Module):
    """Two exits with logits (a, 0) and (b, 0) for every row; a and b are two parameters, or one."""

    num_exits = 2

    def __init__(self, a, b, joint):
        super().__init__()
        values = [torch.tensor([a, b])] if joint else [torch.tensor([a]), torch.tensor([b])]
        self.values = nn.ParameterList(values)

    def forward(self, batch):
        first = torch.cat(list(self.values))
        return torch.stack([first, torch.zeros(2)], dim=-1).expand(len(batch), 2, 2)


@pytest.mark.parametrize("joint", [False, True])
def test_two_exits_by_hand(joint):
    a, b = 2.0, 1.0
    p, q = 1 / (1 + np.exp(-a)), 1 / (1 + np.exp(-b))
    ce = np.array([p - 1, q - 1]) / 2  # all labels are 0: both logits should grow; a mean of two exits
    kd = np.array([p - q, q - p]) / 4  # the exits should meet: the first logit should shrink; a mean of four pairs
    if joint:
        assert kd @ ce > 0  # as a whole the gradients agree
        expected, conflicts = ce + kd, 0.0
    else:
        expected, conflicts = ce + kd * (0, 1), 0.5
    model = TwoExits(a, b, joint)
    found, loss, parts = gradients(GamlBert(temperature=1.0), model, batch_of(torch.zeros(3, dtype=torch.int64)))
    np.testing.assert_allclose(torch.cat(list(found.values())), expected, rtol=1e-5)
    assert parts["conflicts"] == conflicts
    first, second = np.array([p, 1 - p]), np.array([q, 1 - q])
    divergences = (first - second) @ np.log(first / second)  # in both directions
    assert parts["loss_kd"].item() == pytest.approx(divergences / 4, rel=1e-5)
    assert parts["loss_ce"].item() == pytest.approx(-(np.log(p) + np.log(q)) / 2, rel=1e-5)
    assert loss.item() == pytest.approx(divergences / 4 - (np.log(p) + np.log(q)) / 2, rel=1e-5)


@pytest.mark.parametrize("kind", ["tiny_bert", "tiny_albert"])
def test_the_gradient_is_that_of_the_labels_plus_what_does_not_conflict_of_the_exits(kind, request):
    method = GamlBert(distillation=2.0, dropout=0.0)
    model, batch = method.build(load_backbone(request.getfixturevalue(kind)), 2, 2).eval(), FIT.batch(np.arange(8))
    model.exits.weight.data *= 5  # exits that differ
    found, _, parts = gradients(method, model, batch)
    conflicts, undecided = [], 0
    for name, parameter in model.named_parameters():
        logits = model(batch)
        ce, kd = exit_cross_entropies(logits, batch.labels).mean(), mutual_distillation(logits, 3.0).mean()
        towards_labels, towards_exits = (torch.autograd.grad(x, parameter, retain_graph=True)[0] for x in (ce, kd))
        if name.endswith("key.bias"):  # softmax ignores it: its gradients are zero but for rounding, as are their signs
            assert max(towards_labels.abs().max(), towards_exits.abs().max()) < 1e-6
            undecided += 1
        else:
            product = (towards_labels * towards_exits).sum()
            cosine = product / (towards_labels.norm() * towards_exits.norm())
            assert cosine.abs() > 0.01  # a thousand times what rounding changes: the same signs everywhere
            conflicts.append(product.item() < 0)
            if conflicts[-1]:
                towards_exits = towards_exits - product / towards_labels.square().sum() * towards_labels
        torch.testing.assert_close(found[name], towards_labels + 2.0 * towards_exits, rtol=1e-3, atol=1e-5)
    assert 0 < sum(conflicts) < len(conflicts)
    total = parts["conflicts"].item() * (len(conflicts) + undecided)
    assert sum(conflicts) - 1e-3 <= total <= sum(conflicts) + undecided + 1e-3


def test_without_distillation_it_is_the_mean_cross_entropy_of_all_exits(tiny_bert):
    model, batch = GamlBert().build(load_backbone(tiny_bert), 2, 0).eval(), FIT.batch(np.arange(8))
    own, loss, parts = gradients(GamlBert(distillation=0.0), model, batch)
    own = {name: gradient.clone() for name, gradient in own.items()}
    plain, expected, _ = gradients(Cosee(alpha=0.0, beta0=0.0), model, batch)
    torch.testing.assert_close(own, plain)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert parts["mean_ce"] == parts["loss_ce"] == expected


def test_parameters_that_do_not_learn_get_no_gradient(tiny_bert):
    model = GamlBert().build(load_backbone(tiny_bert), 2, 0)
    model.backbone.requires_grad_(False)
    found, _, _ = gradients(GamlBert(), model, FIT.batch(np.arange(8)))
    assert {name for name, gradient in found.items() if gradient is not None} == {"exits.weight", "exits.bias"}


# --- a run ------------------------------------------------------------------------------------------------------------


def test_golden_losses_of_the_first_steps(tiny_bert, tmp_path):
    without_dropout = spying(lambda model, *_: model.eval())
    history = run(tiny_bert, GamlBert(), tmp_path / "state", epochs=1, wrap=without_dropout)[1]
    np.testing.assert_allclose(history["loss"], [0.698143, 0.663157, 0.716871, 0.801564, 0.691724], rtol=1e-4)
    np.testing.assert_allclose(history["loss"], history["loss_ce"] + history["loss_kd"], rtol=1e-5)


def test_a_killed_run_resumes_as_if_it_had_not_been(tiny_bert, tmp_path):
    expected = run(tiny_bert, GamlBert(), tmp_path / "whole", epochs=1)
    with pytest.raises(Killed):
        run(tiny_bert, GamlBert(), tmp_path / "state", progress=die_after(3), save_minutes=0.0, epochs=1)
    assert_same(run(tiny_bert, GamlBert(), tmp_path / "state", epochs=1), expected)


def test_it_learns(tiny_albert, tmp_path):
    _, history, facts = run(tiny_albert, GamlBert(), tmp_path / "state", epochs=10)
    assert history["mean_ce"][-10:].mean() < 0.7 * history["mean_ce"][:10].mean()
    assert facts["sel_score"] >= 0.8


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_does_not_wait_for_the_device(precision, tiny_bert):
    model = GamlBert().build(load_backbone(tiny_bert), 2, 0).train()
    goal, optimizer = GamlBert().objective(SCHEDULE, 0, CPU), make_optimizer(model, 0.01, 0.0)
    with NoWaiting():
        for step in range(2):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                loss, parts = goal(model, FIT.batch(np.arange(8)), step)
            loss.backward()
            update(optimizer, 0.01, 1.0)
    assert loss.isfinite() and {loss.dtype, *(part.dtype for part in parts.values())} == {torch.float32}
