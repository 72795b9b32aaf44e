import numpy as np
import pytest
import torch
from helpers.objectives import NoWaiting, batch_of, random_labels, random_logits
from helpers.tiny import HIDDEN, LAYERS, token_split
from helpers.training import CPU, FIT, SEL, Killed, assert_same, die_after, run, spying
from torch.nn import functional as F

from cosee.data.batches import DeviceSplit
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers
from cosee.methods.disentangledee import BatchNorm, DisentangledEE, simplex_etf
from cosee.models.loading import load_backbone
from cosee.models.prediction import predict
from cosee.training.schedule import Schedule

PATIENCE = RULES["patience"]
INNER = HIDDEN // 2


class FakeModel:
    """A model whose logits [N, M, C] are given."""

    def __init__(self, logits):
        self.logits = logits

    def __call__(self, batch):
        return self.logits


def two_stages():
    method = DisentangledEE()
    return method, method.objective(Schedule(10, 1, 1, method.stages()), 0, CPU)


# --- the tight frame --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("classes", "size"), [(2, 2), (2, 16), (3, 16), (7, 7), (10, 768)])
def test_class_vectors_have_length_one_and_lie_as_far_apart_as_they_can(classes, size):
    vectors = simplex_etf(classes, size, torch.Generator().manual_seed(3)).double()
    cosines = torch.full((classes, classes), -1 / (classes - 1), dtype=torch.float64).fill_diagonal_(1)
    torch.testing.assert_close(vectors @ vectors.T, cosines, atol=1e-6, rtol=0)
    torch.testing.assert_close(vectors.sum(dim=0), torch.zeros(size, dtype=torch.float64), atol=1e-6, rtol=0)


def test_every_exit_and_every_seed_has_a_tight_frame_of_its_own_and_none_learns(tiny_bert):
    first, again, other = (DisentangledEE().build(load_backbone(tiny_bert), 3, seed) for seed in (1, 1, 2))
    names = [name for name, _ in first.named_buffers() if name.endswith("class_vectors")]
    assert len(names) == LAYERS
    assert not any("class_vectors" in name for name, _ in first.named_parameters())
    frames, same, others = (torch.stack([model.get_buffer(n) for n in names]) for model in (first, again, other))
    assert not frames.requires_grad and torch.equal(frames, same)
    assert len(torch.unique(torch.cat([frames, others]), dim=0)) == 2 * LAYERS
    assert set(names) <= set(first.state_dict())  # they are saved with the weights


# --- the exits --------------------------------------------------------------------------------------------------------


def trained_a_little(folder, classes=3):
    """A model whose adapters and running statistics are no longer those it began with."""
    model = DisentangledEE(dropout=0.0).build(load_backbone(folder), classes, 0)
    for adapter in model.exits.internal:
        for parameter in adapter.adapter.parameters():
            torch.nn.init.normal_(parameter, 0, 0.1, torch.Generator().manual_seed(parameter.numel()))
    model.outputs(FIT.batch(np.arange(30)))
    return model


@pytest.mark.parametrize("kind", ["tiny_bert", "tiny_albert"])
def test_logits_are_cosines_of_adapted_pooled_standardised_states(kind, request):
    model = trained_a_little(request.getfixturevalue(kind)).eval()
    states = model.states(FIT.batch(np.arange(6)))
    logits, scores = model.exits(states, model.backbone)
    assert scores is None and logits.shape == (6, LAYERS, 3) and logits.abs().max() <= 1 + 1e-6
    for index, leave in enumerate([*model.exits.internal, model.exits.final]):
        state = states[:, index]
        if index < LAYERS - 1:
            down, _, up = leave.adapter
            assert down.weight.shape == (INNER, HIDDEN)
            state = state + 8.0 * up(down(state).relu())
        norm, pooled = leave.norm, model.backbone.pool(state)
        features = (pooled - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
        expected = F.cosine_similarity(features[:, None], leave.class_vectors[None], dim=-1)
        torch.testing.assert_close(logits[:, index], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["tiny_bert", "tiny_albert"])
def test_online_exits_are_those_of_the_whole_model(kind, request):
    model = trained_a_little(request.getfixturevalue(kind)).eval()
    states = model.states(FIT.batch(np.arange(6)))
    logits = model.exits(states, model.backbone).logits
    for index in range(LAYERS):
        here, carry = model.exits.forward_exit(index, states[:, index], model.backbone, None)
        torch.testing.assert_close(here.logits, logits[:, index])
        assert here.learned_scores is None and carry is None


def test_a_batch_of_one_row_is_standardised_by_the_running_statistics():
    norm, rows = BatchNorm(4), 3 + 2 * torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    for _ in range(100):
        norm(rows)
    mean, var = norm.running_mean.clone(), norm.running_var.clone()
    torch.testing.assert_close(norm(rows[:1]), (rows[:1] - mean) / (var + norm.eps).sqrt())
    assert torch.equal(norm.running_mean, mean) and torch.equal(norm.running_var, var)
    torch.testing.assert_close(norm(rows).mean(dim=0), torch.zeros(4), atol=1e-5, rtol=0)


def test_the_last_exit_has_no_adapter_and_costs_less(tiny_bert):
    model = DisentangledEE().build(load_backbone(tiny_bert), 3, 0)
    exits, backbone = model.exits, model.backbone
    plain = 2.0 * HIDDEN * (HIDDEN + 3)
    adapter = 2 * 2.0 * HIDDEN * INNER
    assert [exits.flops(index, backbone) for index in range(LAYERS)] == [plain + adapter] * (LAYERS - 1) + [plain]
    assert DisentangledEE(bottleneck=5).build(load_backbone(tiny_bert), 3, 0).exits.inner == 5


# --- the two stages ---------------------------------------------------------------------------------------------------


def test_first_the_last_exit_is_minimized_then_the_internal_ones_the_early_ones_most():
    _, objective = two_stages()
    logits, labels = random_logits(), random_labels()
    each = [F.cross_entropy(logits[:, m], labels).item() for m in range(4)]
    losses = [objective(FakeModel(logits), batch_of(labels), step)[0].item() for step in (0, 7, 8, 9)]
    internal = (3 * each[0] + 2 * each[1] + each[2]) / 6
    assert losses == pytest.approx([each[3], each[3], internal, internal], rel=1e-6)
    parts = objective(FakeModel(logits), batch_of(labels), 9)[1]
    assert parts["mean_ce"].item() == pytest.approx(sum(each) / 4, rel=1e-6)


def test_each_stage_leaves_the_parameters_of_the_other_as_they_are(tiny_bert, tmp_path):
    before = {}

    def see(model, batch, step):
        before[step] = {name: value.detach().clone() for name, value in model.named_parameters()}

    weights, _, _ = run(tiny_bert, DisentangledEE(), tmp_path / "state", wrap=spying(see), weight_decay=0.1)
    internal = {name for name in before[0] if name.startswith("exits.internal")}
    for begin, end, expected in ((before[0], before[8], before[0].keys() - internal), (before[8], weights, internal)):
        assert {name for name, value in begin.items() if not torch.equal(value, end[name])} == expected


def test_internal_losses_do_not_reach_the_encoder_in_the_second_stage(tiny_bert):
    method, objective = two_stages()
    model = method.build(load_backbone(tiny_bert), 2, 0)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(method.stages()[1].trains(name))
    objective(model, FIT.batch(np.arange(8)), 9)[0].backward()
    learning = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert learning == {name for name, _ in model.named_parameters() if name.startswith("exits.internal")}
    assert {name.split(".")[2] for name in learning} == {"0", "1", "2"}


# --- training ---------------------------------------------------------------------------------------------------------


def test_golden_losses_of_the_first_steps(tiny_bert, tmp_path):
    without_dropout = spying(lambda model, *_: model.backbone.eval())  # which differs between builds of torch
    history = run(tiny_bert, DisentangledEE(dropout=0.0), tmp_path / "state", epochs=1, wrap=without_dropout)[1]
    np.testing.assert_allclose(history["loss"], [0.863901, 0.606755, 0.698890, 0.686976, 0.574892], rtol=1e-4)


def test_it_learns_and_patience_trades_speed_for_accuracy(tiny_bert, tmp_path):
    method = DisentangledEE(rate=10.0)
    more = {"fit": DeviceSplit(token_split(80), CPU), "learning_rate": 0.006, "epochs": 10}
    weights, history, facts = run(tiny_bert, method, tmp_path / "state", **more)
    assert facts["sel_score"] >= 0.9
    assert history["mean_ce"][-10:].mean() < 0.6 * history["mean_ce"][:10].mean()
    model = method.build(load_backbone(tiny_bert), 2, 0)
    model.load_state_dict(weights)
    logits = predict(model, SEL, 64).logits
    scores = PATIENCE.score(logits[:, :-1], None)
    depths = []
    for patience in (1, 2, 3):
        layers = exit_layers(scores, patience - 0.5, PATIENCE.harder_is)
        depths.append(layers.mean())
        assert (logits[np.arange(24), layers].argmax(axis=-1) == SEL.labels.numpy()).mean() >= 0.9
    assert depths[0] < depths[1] < depths[2] == LAYERS - 1


def test_a_killed_run_resumes_as_if_it_had_not_been(tiny_bert, tmp_path):
    whole = run(tiny_bert, DisentangledEE(), tmp_path / "whole")
    for saves in (3, 9):  # in either stage
        with pytest.raises(Killed):
            run(tiny_bert, DisentangledEE(), tmp_path / f"{saves}", progress=die_after(saves), save_minutes=0.0)
        assert_same(run(tiny_bert, DisentangledEE(), tmp_path / f"{saves}"), whole)


def test_a_run_whose_last_batch_has_one_row_is_trained(tiny_bert, tmp_path):
    history = run(tiny_bert, DisentangledEE(), tmp_path / "state", fit=DeviceSplit(token_split(17), CPU))[1]
    assert len(history) == 6 and np.isfinite(history["loss"]).all()


def test_a_step_does_not_wait_for_the_device(tiny_bert):
    method, objective = two_stages()
    model = method.build(load_backbone(tiny_bert), 2, 0).train()
    with NoWaiting():
        for step in (0, 9):
            loss, _ = objective(model, FIT.batch(np.arange(8)), step)
            loss.backward()
    assert loss.isfinite()
