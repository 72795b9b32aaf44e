import numpy as np
import pytest
import torch
from helpers.objectives import NoWaiting, batch_of
from helpers.training import FIT, Killed, assert_same, die_after, run, spying
from torch import nn

from cosee.losses.per_exit import exit_cross_entropies, mutual_distillation
from cosee.methods.leebert import LeeBert, agreement, halves, losses, starting_scores
from cosee.models.loading import load_backbone
from cosee.training.optimizer import make_optimizer, update
from cosee.training.schedule import Schedule

CPU, SCHEDULE = torch.device("cpu"), Schedule(5, 2)
EACH_BACKBONE = pytest.mark.parametrize("kind", ["tiny_bert", "tiny_albert"])


def built(folder):
    """A model whose exits differ, without dropout."""
    model = LeeBert().build(load_backbone(folder), 2, 0).eval()
    model.exits.weight.data *= 20
    return model


def started(model, **changes):
    """An objective whose run has begun."""
    goal = LeeBert(**changes).objective(SCHEDULE, 0, CPU)
    goal.begin_stage(0, model, FIT)
    return goal


class TwoExits(nn.Module):
    """Two exits with logits (a, 0) and (b, 0) for every row."""

    num_exits = 2

    def __init__(self, a, b):
        super().__init__()
        self.values = nn.Parameter(torch.tensor([a, b]))

    def forward(self, batch):
        return torch.stack([self.values, torch.zeros(2)], dim=-1).expand(len(batch), 2, 2)


def all_of_class_0(rows=4):
    return batch_of(torch.zeros(rows, dtype=torch.int64))


# --- the losses and the halves ----------------------------------------------------------------------------------------


def test_every_exit_learns_from_the_labels_and_from_every_other_exit():
    logits = 2 * torch.randn(5, 3, 2, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 1, 0, 1])
    found = losses(logits, labels, 3.0)
    expected = mutual_distillation(logits, 3.0).mean(dim=0)
    for i in range(3):
        assert expected[i, i] == 0
        expected[i, i] = nn.functional.cross_entropy(logits[:, i], labels)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("num_exits", [1, 2, 12])
def test_at_the_start_cross_entropy_and_distillation_have_one_half_each(num_exits):
    weights = starting_scores(num_exits).flatten().softmax(0).view(num_exits, num_exits)
    assert weights.trace().item() == pytest.approx(0.5 if num_exits > 1 else 1)
    assert weights.sum().item() == pytest.approx(1)
    assert weights.unique().numel() <= 2


def test_halves_are_every_other_row():
    whole = FIT.batch(np.array([3, 1, 4, 15, 9]))
    first, second = halves(whole)
    assert (first.rows.tolist(), second.rows.tolist()) == ([3, 4, 9], [1, 15])
    for name in ("input_ids", "attention_mask", "token_type_ids", "labels"):
        assert torch.equal(getattr(first, name), getattr(whole, name)[[0, 2, 4]])
        assert torch.equal(getattr(second, name), getattr(whole, name)[[1, 3]])
    assert halves(all_of_class_0())[0].attention_mask is None


# --- how weights are judged -------------------------------------------------------------------------------------------


@EACH_BACKBONE
def test_agreement_is_the_product_of_the_gradients(kind, request):
    model = built(request.getfixturevalue(kind))
    batch, held_out = halves(FIT.batch(np.arange(8)))
    parameters = list(model.parameters())
    cross_entropy = exit_cross_entropies(model(held_out), held_out.labels).mean()
    held_out_gradient = torch.autograd.grad(cross_entropy, parameters)
    terms, expected = losses(model(batch), batch.labels, 3.0), torch.zeros(4, 4)
    for i in range(4):
        for j in range(4):
            gradient = torch.autograd.grad(terms[i, j], parameters, retain_graph=True, materialize_grads=True)
            products = [(a * b).sum() for a, b in zip(gradient, held_out_gradient, strict=True)]
            expected[i, j] = torch.stack(products).sum()
    assert expected.min() < 0 < expected.max()
    torch.testing.assert_close(agreement(model, batch, held_out, 3.0), expected, rtol=1e-3, atol=1e-4)


@EACH_BACKBONE
def test_agreement_foretells_what_a_step_does_to_the_rows_held_out(kind, request):
    model = built(request.getfixturevalue(kind))
    batch, held_out = halves(FIT.batch(np.arange(8)))
    weights, size = torch.rand(4, 4, generator=torch.Generator().manual_seed(0)), 1e-4
    foretold = -size * (weights * agreement(model, batch, held_out, 3.0)).sum()
    before = exit_cross_entropies(model(held_out), held_out.labels).mean().item()
    (weights * losses(model(batch), batch.labels, 3.0)).sum().backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= size * parameter.grad
    after = exit_cross_entropies(model(held_out), held_out.labels).mean().item()
    assert after - before == pytest.approx(foretold.item(), rel=0.1)


def test_a_loss_that_helps_gains_weight_and_one_that_hinders_loses_it():
    model = TwoExits(2.0, 1.0)  # of the two only the less certain exit gains by learning from the other
    batch, held_out = halves(all_of_class_0())
    products = agreement(model, batch, held_out, 1.0)
    p, q = (1 / (1 + np.exp(-value)) for value in (2.0, 1.0))
    gradient = np.array([p - 1, q - 1]) / 2  # of the mean CE by both logits
    expected = [[gradient[0] * (p - 1), gradient[0] * (p - q)], [gradient[1] * (q - p), gradient[1] * (q - 1)]]
    np.testing.assert_allclose(products, expected, rtol=1e-4)
    assert products[0, 1] < 0 < products[1, 0]

    goal = started(model, temperature=1.0)
    weights = goal.weights().detach()
    goal(model, all_of_class_0(), 0)
    change = goal.scores.detach() - starting_scores(2)
    better = products > (weights * products).sum()  # than the weighted mean of all
    torch.testing.assert_close(
        change, torch.where(better, 0.1, -0.1)
    )  # Adam's first step: the rate, reach 1 / 10 steps
    assert not better[0, 1]
    torch.testing.assert_close(goal.weights().sum(), torch.tensor(1.0))


def test_a_step_of_the_weights_is_adams_on_the_gain():
    model, goal = TwoExits(2.0, 1.0), started(TwoExits(2.0, 1.0), temperature=1.0, reach=3.0)
    scores = nn.Parameter(starting_scores(2))
    reference = torch.optim.Adam([scores], lr=0.3)
    for step in range(4):
        products = agreement(model, *halves(all_of_class_0()), 1.0)
        reference.zero_grad()
        (-(scores.flatten().softmax(0) * products.flatten()).sum()).backward()
        reference.step()
        goal(model, all_of_class_0(), step)
        torch.testing.assert_close(goal.scores, scores)
        model.values.data += 0.5


@pytest.mark.parametrize(
    "schedule", [Schedule(5, 2), Schedule(20, 5), Schedule(20, 5, accumulation=4)], ids=["short", "long", "accumulated"]
)
def test_weights_that_always_help_or_hinder_go_as_far_as_the_reach_in_a_run_of_any_length(schedule):
    model, goal = TwoExits(2.0, 1.0), LeeBert(temperature=1.0, reach=0.5).objective(schedule, 0, CPU)
    goal.begin_stage(0, model, FIT)
    for _ in range(schedule.batches_per_epoch * schedule.epochs):
        goal(model, all_of_class_0(), 0)
    change = goal.scores.detach() - starting_scores(2)
    assert change[0, 1] < -0.4
    assert change.abs().max() < 0.55


# --- the objective ----------------------------------------------------------------------------------------------------


def test_the_loss_is_the_weighted_sum_on_the_whole_batch(tiny_bert):
    model, whole = built(tiny_bert), FIT.batch(np.arange(8))
    goal = started(model)
    loss, parts = goal(model, whole, 0)
    values, weights = losses(model(whole), whole.labels, 3.0).tolist(), goal.weights().tolist()
    ce = sum(weights[i][i] * values[i][i] for i in range(4))
    kd = sum(weights[i][j] * values[i][j] for i in range(4) for j in range(4) if i != j)
    expected = {
        "loss_ce": ce,
        "loss_kd": kd,
        "weight_ce": sum(weights[i][i] for i in range(4)),
        "mean_ce": sum(values[i][i] for i in range(4)) / 4,
    }
    assert {name: part.item() for name, part in parts.items()} == pytest.approx(expected, rel=1e-4)
    assert loss.item() == pytest.approx(ce + kd, rel=1e-4)


def test_both_halves_move_the_weights_and_judging_leaves_no_gradient_behind(tiny_bert):
    model, whole = built(tiny_bert), FIT.batch(np.arange(8))
    moved = []
    for flipped in (None, 0, 1):
        labels = whole.labels.clone()
        if flipped is not None:
            labels[flipped::2] = 1 - labels[flipped::2]
        goal = started(model)
        goal(model, type(whole)(whole.input_ids, whole.attention_mask, whole.token_type_ids, labels, whole.rows), 0)
        assert all(parameter.grad is None for parameter in model.parameters())
        moved.append(goal.scores.grad.clone())
    assert not torch.equal(moved[0], moved[1]) and not torch.equal(moved[0], moved[2])


def test_the_loss_does_not_pull_on_the_weights():
    model = TwoExits(2.0, 1.0)
    goal = started(model)
    loss, _ = goal(model, all_of_class_0(), 0)
    before = goal.scores.grad.clone()
    loss.backward()
    assert torch.equal(goal.scores.grad, before)


def test_a_single_row_trains_the_model_and_leaves_the_weights():
    model = TwoExits(2.0, 1.0)
    goal = started(model)
    loss, _ = goal(model, all_of_class_0(1), 0)
    loss.backward()
    assert loss.isfinite() and model.values.grad.abs().min() > 0
    assert torch.equal(goal.scores, starting_scores(2))


def test_parameters_that_do_not_learn_are_not_asked(tiny_bert):
    model = built(tiny_bert)
    model.backbone.requires_grad_(False)
    goal = started(model)
    goal(model, FIT.batch(np.arange(8)), 0)[0].backward()
    assert {name for name, p in model.named_parameters() if p.grad is not None} == {"exits.weight", "exits.bias"}


# --- a run ------------------------------------------------------------------------------------------------------------


def test_golden_losses_of_the_first_steps(tiny_bert, tmp_path):
    without_dropout = spying(lambda model, *_: model.eval())
    history = run(tiny_bert, LeeBert(), tmp_path / "state", epochs=1, wrap=without_dropout)[1]
    np.testing.assert_allclose(history["loss"], [0.280936, 0.224428, 0.207897, 0.217605, 0.180883], rtol=1e-4)
    np.testing.assert_allclose(history["weight_ce"], [0.401312, 0.333322, 0.288836, 0.272327, 0.260840], rtol=1e-3)


@pytest.mark.parametrize(("accumulation", "saves"), [(1, 3), (2, 2)])
def test_a_killed_run_resumes_as_if_it_had_not_been(accumulation, saves, tiny_bert, tmp_path):
    settings = {"accumulation": accumulation, "batch_size": 8 * accumulation, "epochs": 1}
    expected = run(tiny_bert, LeeBert(), tmp_path / "whole", **settings)
    with pytest.raises(Killed):
        run(tiny_bert, LeeBert(), tmp_path / "s", progress=die_after(saves), save_minutes=0.0, **settings)
    assert_same(run(tiny_bert, LeeBert(), tmp_path / "s", **settings), expected)


def test_what_is_saved_is_all_that_is_carried():
    model = TwoExits(2.0, 1.0)
    first, second = started(model), LeeBert().objective(SCHEDULE, 0, CPU)
    first(model, all_of_class_0(), 0)
    second.restore({name: value.detach().clone() for name, value in first.state().items()})
    for goal in (first, second):
        goal(model, all_of_class_0(), 1)
    assert first.state().keys() == second.state().keys() == {"scores", "step", "exp_avg", "exp_avg_sq"}
    assert all(torch.equal(value, second.state()[name]) for name, value in first.state().items())


def test_it_learns(tiny_bert, tmp_path):
    _, history, facts = run(tiny_bert, LeeBert(), tmp_path / "state", epochs=20, batch_size=20)
    assert history["mean_ce"][-10:].mean() < 0.7 * history["mean_ce"][:10].mean()
    assert facts["sel_score"] >= 0.8


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_does_not_wait_for_the_device(precision, tiny_bert):
    model = LeeBert().build(load_backbone(tiny_bert), 2, 0).train()
    goal, optimizer = started(model), make_optimizer(model, 0.01, 0.0)
    with NoWaiting():
        for step in range(2):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                loss, parts = goal(model, FIT.batch(np.arange(8)), step)
            loss.backward()
            update(optimizer, 0.01, 1.0)
    assert loss.isfinite() and {loss.dtype, *(part.dtype for part in parts.values())} == {torch.float32}
    assert not torch.equal(goal.scores, starting_scores(4))
