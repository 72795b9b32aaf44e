import numpy as np
import pytest
import torch
from helpers.models import exits_as_simulated
from helpers.objectives import NoWaiting
from helpers.tiny import HIDDEN, LAYERS, token_split, write_backbone
from helpers.training import CPU, FIT, Killed, assert_same, die_after, run, spying
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from cosee.data.batches import DeviceSplit
from cosee.exiting.rules import RULES
from cosee.methods import make_method
from cosee.methods.cosee import Cosee
from cosee.methods.gpfee import Gpfee, imitation_loss
from cosee.models.loading import load_backbone
from cosee.models.prediction import predict
from cosee.training.schedule import Schedule

BATCH = FIT.batch(np.arange(9))
BOTH = pytest.mark.parametrize("folder", ["tiny_bert", "tiny_albert"])


def lively(folder, num_classes=2, **settings):
    """A model in eval mode whose heads, gates and biases are far from zero, so that everything matters."""
    model = Gpfee(**settings).build(load_backbone(folder), num_classes, 0).eval()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.exits.parameters():
            parameter.normal_(0, 0.5, generator=generator)
    return model


def random_states(rows=9, width=HIDDEN, exits=LAYERS):
    return torch.randn(rows, exits, width, generator=torch.Generator().manual_seed(1))


def naive_states(exits, states):
    """Pooled states h_j of one row [M, H], and by (exit m, later layer j) the imitations [H]."""
    pooled = [torch.tanh(exits.pooler_weight[j] @ states[j] + exits.pooler_bias[j]) for j in range(LAYERS)]
    imitated = {
        (m, j): torch.tanh(exits.imitation_weight[j - 1] @ pooled[m] + exits.imitation_bias[j - 1])
        for m in range(LAYERS)
        for j in range(m + 1, LAYERS)
    }
    return pooled, imitated


def naive_logits(exits, states):
    """Logits of one row [M, C], one exit and one layer at a time."""
    pooled, imitated = naive_states(exits, states)
    logits = []
    for m in range(LAYERS):
        past = sum(exits.weight[j] @ pooled[j] + exits.bias[j] for j in range(m + 1))
        future = sum((exits.weight[j] @ imitated[m, j] + exits.bias[j] for j in range(m + 1, LAYERS)), torch.zeros(1))
        gate = sum(exits.gate_weight[j] @ pooled[j] + exits.gate_bias[j] for j in range(m + 1)) / (m + 1)
        share = torch.sigmoid(exits.share_weight @ torch.tanh(gate) + exits.share_bias)
        logits.append(2 * share * past + 2 * (1 - share) * future)
    return torch.stack(logits)


# --- exits ------------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("num_classes", [2, 3])
@torch.no_grad()
def test_logits_are_those_of_the_formula(folder, num_classes, request):
    model = lively(request.getfixturevalue(folder), num_classes)
    states = model.states(BATCH)
    expected = torch.stack([naive_logits(model.exits, row) for row in states])
    assert expected.shape == (9, LAYERS, num_classes)
    torch.testing.assert_close(model(BATCH), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_exits_visited_one_by_one_give_the_same_while_rows_leave(tiny_bert):
    model = lively(tiny_bert)
    states, carry, rows = model.states(BATCH), None, torch.arange(9)
    expected = model.exits(states, model.backbone).logits
    for index in range(LAYERS):
        here, carry = model.exits.forward_exit(index, states[rows, index], model.backbone, carry)
        torch.testing.assert_close(here.logits, expected[rows, index], rtol=1e-4, atol=1e-5)
        assert here.learned_scores is None and carry.shape == (len(rows), 2, 2)
        rows, carry = rows[::2], carry[::2]


@torch.no_grad()
def test_a_visit_costs_what_is_said(tiny_bert):
    model, carry = lively(tiny_bert, 3), None
    for index in range(LAYERS):
        with FlopCounterMode(display=False) as counter:
            _, carry = model.exits.forward_exit(index, random_states()[:, index], model.backbone, carry)
        assert counter.get_total_flops() == 9 * model.exits.flops(index, model.backbone)


def test_real_exits_are_the_simulated_ones(tiny_bert):
    model, rule, rows = lively(tiny_bert), RULES["entropy"], np.arange(24)
    logits = predict(model, FIT, 8).logits[rows]
    scores = rule.score(logits[:, :-1].astype(np.float64), None)
    assert len(exits_as_simulated(model, FIT.batch(rows), rule, scores, logits)) > 2


def test_an_exit_trains_no_state_of_the_exits_before_it(tiny_bert):
    exits = lively(tiny_bert).exits
    pooled = exits.pool(random_states()).detach().requires_grad_()
    imitated = torch.zeros(9, LAYERS - 1, LAYERS - 1, HIDDEN, requires_grad=True)
    logits = exits.classify(pooled, imitated)
    for m in range(LAYERS):
        own, ahead = torch.autograd.grad(logits[:, m].sum(), (pooled, imitated), retain_graph=True)
        assert [bool(own[:, j].any()) for j in range(LAYERS)] == [j == m for j in range(LAYERS)]
        used = [[bool(ahead[:, i, j].any()) for j in range(LAYERS - 1)] for i in range(LAYERS - 1)]
        assert used == [[i == m and j >= m for j in range(LAYERS - 1)] for i in range(LAYERS - 1)]
    (weight,) = torch.autograd.grad(logits[:, -1].sum(), exits.weight)
    assert weight.flatten(1).any(dim=1).all()  # the classifier learns from past states all the same


def test_an_exit_trains_its_pooler_through_its_imitations(tiny_bert):
    exits = lively(tiny_bert).exits
    pooled = exits.pool(random_states())
    logits = exits.classify(pooled.detach(), exits.imitate(pooled))
    for m in range(LAYERS):
        (gradient,) = torch.autograd.grad(logits[:, m].sum(), exits.pooler_weight, retain_graph=True, allow_unused=True)
        assert [bool(layer.any()) for layer in gradient] == [j == m and m < LAYERS - 1 for j in range(LAYERS)]


def test_every_exit_draws_its_own_dropout_in_training_only(tiny_bert):
    exits = lively(tiny_bert, dropout=0.5).exits
    pooled = exits.pool(random_states())
    with torch.no_grad():
        exits.share_weight.zero_(), exits.share_bias.fill_(50.0)  # the past alone, weighed equally by all exits
        exits.weight[1:].zero_(), exits.bias.zero_()  # and of it the first layer alone
        imitated = exits.imitate(pooled)
        whole = exits.classify(pooled, imitated)
        torch.testing.assert_close(whole[:, 0], whole[:, -1])
        exits.train()
        torch.manual_seed(0)
        dropped = exits.classify(pooled, imitated)
    assert not torch.allclose(dropped[:, 0], dropped[:, -1])


# --- imitation --------------------------------------------------------------------------------------------------------


def test_the_imitation_loss_is_that_of_the_loop(tiny_bert):
    exits, states = lively(tiny_bert).exits, random_states()
    pooled = exits.pool(states)
    by_row = [naive_states(exits, row) for row in states]
    means = []
    for m in range(LAYERS - 1):
        pairs = [(true[j], guess[m, j]) for true, guess in by_row for j in range(m + 1, LAYERS)]
        truth, guesses = (torch.stack(side) for side in zip(*pairs, strict=True))
        means.append(F.cosine_embedding_loss(truth, guesses, torch.ones(len(pairs))))
    expected = sum(means) / (LAYERS - 1)
    assert imitation_loss(exits.imitate(pooled), pooled).item() == pytest.approx(expected.item(), rel=1e-5)


def test_perfect_imitation_costs_nothing_and_the_opposite_two():
    pooled = random_states()
    perfect = pooled[:, None, 1:].expand(-1, LAYERS - 1, -1, -1)
    assert imitation_loss(3 * perfect, pooled).item() == pytest.approx(0.0, abs=1e-6)
    assert imitation_loss(-perfect, pooled).item() == pytest.approx(2.0)


def test_true_states_are_not_drawn_towards_their_imitations(tiny_bert):
    exits = lively(tiny_bert).exits
    pooled = exits.pool(random_states()).detach().requires_grad_()
    imitated = exits.imitate(pooled)
    sources, poolers = torch.autograd.grad(imitation_loss(imitated, pooled), (pooled, exits.imitation_weight))
    assert poolers.flatten(1).any(dim=1).all()
    assert [bool(sources[:, m].any()) for m in range(LAYERS)] == [True] * (LAYERS - 1) + [False]
    targets = pooled.detach().requires_grad_()
    (none,) = torch.autograd.grad(imitation_loss(imitated, targets), targets, allow_unused=True)
    assert none is None


# --- objective --------------------------------------------------------------------------------------------------------


def test_the_loss_is_half_classification_half_imitation(tiny_bert):
    model = lively(tiny_bert)
    loss, parts = Gpfee(frozen_layers=0).objective(Schedule(5, 2), 0, CPU)(model, BATCH, 3)
    logits, pooled = model(BATCH), model.exits.pool(model.states(BATCH))
    by_exit = [F.cross_entropy(logits[:, m], BATCH.labels) for m in range(LAYERS)]
    weighted = sum((m + 1) * ce for m, ce in enumerate(by_exit)) / sum(range(1, LAYERS + 1))
    imitation = imitation_loss(model.exits.imitate(pooled), pooled)
    expected = {"loss_ce": weighted, "loss_imitation": imitation, "mean_ce": sum(by_exit) / LAYERS}
    assert {name: part.item() for name, part in parts.items()} == pytest.approx(
        {name: value.item() for name, value in expected.items()} | {"detached_layers": 0.0}, rel=1e-5
    )
    assert loss.item() == pytest.approx((weighted + imitation).item() / 2, rel=1e-5)


def trained_layers(model, objective, step):
    """Whether the embeddings and every layer get a gradient [M + 1]."""
    model.zero_grad(set_to_none=True)
    objective(model, BATCH, step)[0].backward()
    encoder = model.backbone.encoder
    parts = [encoder.embeddings.word_embeddings, *(layer.output.dense for layer in encoder.encoder.layer)]
    return [part.weight.grad is not None and bool(part.weight.grad.any()) for part in parts]


@pytest.mark.parametrize("frozen", range(LAYERS))
def test_the_lowest_layers_start_frozen(frozen, tiny_bert):
    objective = Gpfee(frozen_layers=frozen).objective(Schedule(5, 2), 0, CPU)
    assert objective.detached(0) == set(range(frozen))
    below = frozen + 1 if frozen else 0  # with the first layer frozen the embeddings are, too
    assert trained_layers(lively(tiny_bert), objective, 0) == [False] * below + [True] * (LAYERS + 1 - below)


def test_a_layer_below_a_frozen_one_still_learns_from_its_own_exit(tiny_bert, monkeypatch):
    objective = Gpfee().objective(Schedule(5, 2), 0, CPU)
    monkeypatch.setattr(objective, "detached", lambda step: {1})
    assert trained_layers(lively(tiny_bert), objective, 3) == [True, True, False, True, True]


def test_layers_are_unfrozen_at_random_ever_more_often():
    def drawn(seed, steps):
        objective = Gpfee(frozen_layers=3).objective(Schedule(500, 2), seed, CPU)
        return [objective.detached(step) for step in steps]

    layers = drawn(0, range(1000))
    is_frozen = np.array([[layer in detached for layer in range(3)] for detached in layers])
    shares = is_frozen.reshape(5, 200, 3).mean(axis=1)
    np.testing.assert_allclose(shares, np.linspace(0.9, 0.1, 5)[:, None] * np.ones(3), atol=0.11)
    assert {len(detached) for detached in layers[400:600]} == {0, 1, 2, 3}  # each layer is drawn by itself
    assert drawn(0, range(700, 720)) == layers[700:720]  # a step's draw does not depend on the steps before it
    assert drawn(1, range(700, 720)) != layers[700:720]


# --- model ------------------------------------------------------------------------------------------------------------


def test_the_classifier_starts_like_the_heads_of_other_methods(tiny_bert):
    gpfee, cosee = (method.build(load_backbone(tiny_bert), 3, 7) for method in (Gpfee(), Cosee()))
    assert torch.equal(gpfee.exits.weight, cosee.exits.weight)
    for name, parameter in gpfee.exits.named_parameters():
        assert bool(parameter.any()) == name.endswith("weight")


def test_poolers_are_drawn_or_copied_and_nothing_else_changes(tiny_albert):
    drawn, copied = (
        make_method("gpfee", {"pooler": pooler}).build(load_backbone(tiny_albert), 2, 0)
        for pooler in ("random", "copy")
    )
    pretrained = copied.backbone.dense
    for layer in range(LAYERS):
        assert torch.equal(copied.exits.pooler_weight[layer], pretrained.weight)
        assert torch.equal(copied.exits.pooler_bias[layer], pretrained.bias)
    assert drawn.exits.pooler_weight.std().item() == pytest.approx(0.2, rel=0.1)  # the tiny encoders' own deviation
    others = {name: value for name, value in drawn.exits.state_dict().items() if "pooler" not in name}
    assert all(torch.equal(value, copied.exits.state_dict()[name]) for name, value in others.items())


def test_it_adds_a_pooler_per_exit_and_an_imitation_per_later_layer(tiny_bert):
    exits = Gpfee().build(load_backbone(tiny_bert), 3, 0).exits
    square, contribution = HIDDEN * HIDDEN + HIDDEN, 3 * HIDDEN + 3
    expected = LAYERS * square + (LAYERS - 1) * square + 2 * LAYERS * contribution + 3 * 3 + 3
    assert sum(parameter.numel() for parameter in exits.parameters()) == expected


# --- training ---------------------------------------------------------------------------------------------------------


def test_golden_losses_of_the_first_steps(tiny_bert, tmp_path):
    without_dropout = spying(lambda model, *_: model.eval())  # which differs between builds of torch
    history = run(tiny_bert, Gpfee(), tmp_path / "state", epochs=1, wrap=without_dropout)[1]
    np.testing.assert_allclose(history["loss"], [0.866704, 0.718989, 0.780667, 0.878024, 0.775828], rtol=1e-4)


def test_training_learns(tmp_path):
    # Rows and width enough for imitation: in a narrower encoder it leaves nothing to tell the classes apart.
    folder = write_backbone(tmp_path / "wide", "bert", hidden_size=64, intermediate_size=128)
    settings = {"fit": DeviceSplit(token_split(200), CPU), "batch_size": 20, "epochs": 10, "learning_rate": 0.002}
    _, history, facts = run(folder, Gpfee(), tmp_path / "state", **settings)
    for loss in ("mean_ce", "loss_imitation"):
        assert history[loss][-10:].mean() < 0.6 * history[loss][:10].mean()
    assert facts["sel_score"] >= 0.9


def test_a_killed_run_resumes_as_if_it_had_not_been(tiny_bert, tmp_path):
    expected = run(tiny_bert, Gpfee(), tmp_path / "whole")
    for saves in (2, 8):  # in the first epoch, in the second
        with pytest.raises(Killed):
            run(tiny_bert, Gpfee(), tmp_path / "state", progress=die_after(saves), save_minutes=0.0)
        assert_same(run(tiny_bert, Gpfee(), tmp_path / "state"), expected)
        (tmp_path / "state").unlink()


@BOTH
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_does_not_wait_for_the_device(folder, precision, request):
    model = Gpfee().build(load_backbone(request.getfixturevalue(folder)), 2, 0).train()
    objective = Gpfee().objective(Schedule(5, 2), 0, CPU)
    with NoWaiting(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        for step in (0, 5, 9):
            loss, _ = objective(model, BATCH, step)
            loss.backward()
    assert loss.dtype == torch.float32 and loss.isfinite()
    assert model.exits.imitation_weight.grad.any()
