import math
from itertools import product

import numpy as np
import pytest
import torch
from helpers.objectives import NoWaiting, batch_of, random_labels, random_logits
from helpers.tiny import HIDDEN, LAYERS
from helpers.training import CPU, FIT, SEL, Killed, assert_same, die_after, run, spying

from cosee.exiting.online import early_exit
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers
from cosee.methods.consistentee import (
    PRICED_DEPTH,
    ConsistentEE,
    exit_counts,
    log_exit_distribution,
    memorized_layers,
    policy_gradient_loss,
    rewards,
    sample_exits,
)
from cosee.methods.pabee import Pabee
from cosee.models.loading import load_backbone
from cosee.models.multi_exit import count_parameters
from cosee.models.prediction import predict
from cosee.models.randomness import torch_generator
from cosee.training.schedule import Schedule

N, M, K = 8, 4, 3
METHOD = ConsistentEE(alpha=0.05 * LAYERS / PRICED_DEPTH, policy_rate=2.0, joint_rate=0.5)  # 0.05 a layer
SCHEDULE = Schedule(5, 2, stages=METHOD.stages())  # steps 0-5 train classifiers, 6 and 7 policies, 8 and 9 both


class GivenOutputs:
    """A model whose logits [N, M, C] and log-odds [N, M-1] are given."""

    def __init__(self, logits, log_odds):
        self.exits, self.backbone, self.num_exits = self, None, logits.shape[1]
        self.decide = lambda states, backbone: (logits, log_odds)

    def states(self, batch):
        return None


def random_odds(seed=0, samples=N, exits=M, scale=1.5):
    return scale * torch.randn(samples, exits - 1, generator=torch.Generator().manual_seed(seed + 50))


def sharp_model(folder, classes=2, seed=0):
    """A model in eval mode whose heads and policies are far from zero, so that exits differ."""
    model = ConsistentEE().build(load_backbone(folder), classes, seed).eval()
    with torch.no_grad():
        for name, parameter in model.exits.named_parameters():
            if name.endswith("weight"):
                parameter.mul_(40)
    return model


# --- hardness and reward ----------------------------------------------------------------------------------------------


def test_the_memorized_layer_is_where_the_exits_begin_to_stay_right():
    history = {
        (1, 1, 1, 1): 1,
        (0, 1, 1, 1): 2,
        (1, 0, 1, 1): 3,  # being right before does not count
        (1, 1, 0, 1): 4,
        (0, 0, 0, 1): 4,
        (1, 1, 1, 0): 4,  # wrong at the end is as hard as right only there
        (0, 0, 0, 0): 4,
    }
    assert memorized_layers(torch.tensor(list(history)).bool()).tolist() == list(history.values())


def test_the_memorized_layer_is_the_smallest_with_all_deeper_right():
    correct = list(product([False, True], repeat=6))
    expected = [next((layer for layer in range(1, 7) if all(row[layer - 1 :])), 6) for row in correct]
    assert memorized_layers(torch.tensor(correct)).tolist() == expected


def test_rewards_by_hand():
    cross_entropy = torch.tensor([[0.7, 0.4, 0.2, 0.1]] * 3)
    found = rewards(cross_entropy, torch.tensor([1, 3, 4]), alpha=0.1 * 4 / 12)  # 0.1 a layer
    expected = [
        [-0.7 - 0.075, -0.4 - 0.15, -0.2 - 0.225, -0.1 - 0.3],  # 0.1 * l * 3/4
        [-0.7 - 0.025, -0.4 - 0.05, -0.2 - 0.075, -0.1 - 0.1],  # 0.1 * l * 1/4
        [-0.7, -0.4, -0.2, -0.1],  # the hardest are not hurried
    ]
    torch.testing.assert_close(found, torch.tensor(expected))
    assert torch.equal(rewards(cross_entropy, torch.tensor([1, 3, 4]), alpha=0.0), -cross_entropy)


@pytest.mark.parametrize("num_layers", [4, 6, 12, 24])
def test_the_whole_encoder_costs_the_same_in_any_depth_and_the_paper_s_price_in_twelve_layers(num_layers):
    cross_entropy = torch.zeros(1, num_layers)
    earliest, latest = torch.tensor([0]), torch.tensor([num_layers])  # a factor of 1, and of 0
    found = rewards(cross_entropy, earliest, alpha=0.05)[0]
    assert found[-1].item() == pytest.approx(-0.05 * 12)
    assert found[num_layers // 2 - 1].item() == pytest.approx(-0.05 * 6)
    assert not rewards(cross_entropy, latest, alpha=0.05).any()
    if num_layers == 12:
        torch.testing.assert_close(found, -0.05 * torch.arange(1.0, 13))


def test_memorized_layers_are_those_of_the_fit_rows_after_the_first_stage(tiny_bert):
    model, objective = sharp_model(tiny_bert, seed=3).train(), METHOD.objective(SCHEDULE, 0, CPU)
    objective.begin_stage(0, model, FIT)
    assert objective.memorized.tolist() == []
    objective.begin_stage(1, model, FIT)
    correct = predict(model, FIT, 7).logits.argmax(-1) == FIT.labels.numpy()[:, None]
    expected = [next((layer for layer in range(1, M + 1) if row[layer - 1 :].all()), M) for row in correct]
    assert objective.memorized.tolist() == expected and len(set(expected)) > 1
    assert model.training
    with torch.no_grad():
        model.exits.weight.neg_()
    objective.begin_stage(2, model, FIT)
    assert objective.memorized.tolist() == expected


# --- exits as a random variable ---------------------------------------------------------------------------------------


def test_the_exit_distribution_is_that_of_decisions_in_turn():
    odds = random_odds(samples=5)
    leave = [[1 / (1 + math.exp(-z)) for z in row] + [1.0] for row in odds.double().tolist()]
    expected = [[row[m] * math.prod(1 - p for p in row[:m]) for m in range(M)] for row in leave]
    found = log_exit_distribution(odds).exp()
    torch.testing.assert_close(found, torch.tensor(expected))
    torch.testing.assert_close(found.sum(1), torch.ones(5))


def test_an_exit_is_the_first_decision_to_leave():
    odds = torch.zeros(1, 3)  # leave where the number is below one half
    uniform = torch.tensor([[[0.1, 0.1, 0.1], [0.9, 0.4, 0.6], [0.9, 0.9, 0.4], [0.5, 0.9, 0.9]]])
    exits = sample_exits(odds, uniform)
    assert exits.tolist() == [[0, 1, 2, 3]]
    assert exit_counts(torch.cat([exits, exits[:, 1:3], exits[:, 1:2]], dim=1), M).tolist() == [[1, 3, 2, 1]]


def test_sampled_exits_follow_the_distribution():
    odds, rollouts = random_odds(samples=3), 20_000
    exits = sample_exits(odds, torch.rand(3, rollouts, M - 1, generator=torch.Generator().manual_seed(0)))
    frequency = torch.stack([(exits == m).float().mean(1) for m in range(M)], dim=1)
    torch.testing.assert_close(frequency, log_exit_distribution(odds).exp(), rtol=0, atol=0.02)


# --- the policy gradient ----------------------------------------------------------------------------------------------


def gradient_of_expected_reward(odds, reward):
    """Gradient of the negative mean reward, the mean taken over all exits with their probabilities."""
    odds = odds.detach().requires_grad_()
    return torch.autograd.grad(-(log_exit_distribution(odds).exp() * reward).sum(1).mean(), odds)[0]


@pytest.mark.parametrize("rollouts", [2, 3])
def test_over_all_rollouts_the_estimate_is_the_gradient_of_the_expected_reward(rollouts):
    odds = random_odds(samples=1, exits=3).double().requires_grad_()
    reward = torch.tensor([[-0.9, -0.3, -0.5]]).double()
    log_exit = log_exit_distribution(odds)
    mean = torch.zeros(1, 2).double()
    for exits in product(range(3), repeat=rollouts):
        exits = torch.tensor([exits])
        probability = log_exit.gather(1, exits).sum().exp().detach()
        loss = policy_gradient_loss(log_exit, reward, exit_counts(exits, 3))
        (estimate,) = torch.autograd.grad(loss, odds, retain_graph=True)
        mean += probability * estimate
    torch.testing.assert_close(mean, gradient_of_expected_reward(odds, reward))


def test_many_rollouts_come_close_to_the_gradient_of_the_expected_reward():
    odds, reward = random_odds().requires_grad_(), -random_logits(exits=M)[..., 0].abs()
    uniform = torch.rand(N, 20_000, M - 1, generator=torch.Generator().manual_seed(0))
    counts = exit_counts(sample_exits(odds, uniform), M)
    loss = policy_gradient_loss(log_exit_distribution(odds), reward, counts)
    (estimate,) = torch.autograd.grad(loss, odds)
    expected = gradient_of_expected_reward(odds, reward)
    torch.testing.assert_close(estimate, expected, rtol=0, atol=0.02 * expected.abs().max().item())


def test_what_all_exits_have_in_common_teaches_nothing():
    odds, reward = random_odds().requires_grad_(), random_logits()[..., 0]
    counts = exit_counts(sample_exits(odds, torch.rand(N, K, M - 1, generator=torch.Generator().manual_seed(0))), M)
    found = [
        torch.autograd.grad(policy_gradient_loss(log_exit_distribution(odds), given, counts), odds)[0]
        for given in (reward, reward + 7, torch.full_like(reward, 7.0))
    ]
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-6)
    assert found[0].abs().max() > 0.01 and not found[2].any()


# --- losses -----------------------------------------------------------------------------------------------------------


def losses_by_loops(logits, labels, odds, memorized, uniform, method):
    """Cross-entropy at the sampled exits, REINFORCE loss and entropy, one rollout at a time."""
    ce_sum = policy_sum = entropy_sum = 0.0
    for n, label in enumerate(labels):
        ce = [math.log(sum(math.exp(x) for x in f)) - f[label] for f in logits[n]]
        leave = [1 / (1 + math.exp(-z)) for z in odds[n]] + [1.0]
        chance = [leave[m] * math.prod(1 - p for p in leave[:m]) for m in range(M)]
        entropy_sum -= sum(q * math.log(q) for q in chance)
        exits = [next((m for m in range(M - 1) if draw[m] < leave[m]), M - 1) for draw in uniform[n]]
        reward = [-ce[m] - method.alpha * 12 * (m + 1) / M * (1 - memorized[n] / M) for m in exits]
        for k, m in enumerate(exits):
            baseline = sum(reward[:k] + reward[k + 1 :]) / (len(exits) - 1)
            policy_sum -= (reward[k] - baseline) * math.log(chance[m])
            ce_sum += ce[m]
    rollouts = len(labels) * len(uniform[0])
    return ce_sum / rollouts, policy_sum / rollouts, entropy_sum / len(labels)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(("step", "with_ce"), [(6, 0.0), (8, 1.0)])
def test_the_losses_of_the_later_stages_equal_naive_loops(classes, step, with_ce):
    method = ConsistentEE(alpha=0.3, num_rollouts=K, entropy=0.1)
    logits, labels, odds = random_logits(classes=classes), random_labels(classes=classes), random_odds()
    objective = method.objective(SCHEDULE, 5, CPU)
    objective.memorized = torch.arange(30) % M + 1
    batch = batch_of(labels)
    batch.rows.add_(3)
    loss, parts = objective(GivenOutputs(logits, odds), batch, step)
    uniform = torch.rand(N, K, M - 1, generator=torch_generator(5, "rollouts", step)).tolist()
    given = (logits.double().tolist(), labels.tolist(), odds.double().tolist())
    memorized = objective.memorized[3 : 3 + N].tolist()
    loss_ce, loss_policy, entropy = losses_by_loops(*given, memorized, uniform, method)
    assert parts["loss_ce"].item() == pytest.approx(loss_ce, rel=1e-5)
    assert parts["loss_policy"].item() == pytest.approx(loss_policy, rel=1e-4, abs=1e-6)
    assert parts["entropy"].item() == pytest.approx(entropy, rel=1e-5)
    assert loss.item() == pytest.approx(with_ce * loss_ce + loss_policy - 0.1 * entropy, rel=1e-4, abs=1e-6)


def test_the_policy_learns_from_rewards_and_the_classifiers_from_sampled_exits_only():
    logits, odds = random_logits().requires_grad_(), random_odds().requires_grad_()
    with torch.no_grad():
        odds[:, 0], odds[:, 1] = -50.0, 50.0  # everybody leaves at exit 2
    objective = METHOD.objective(SCHEDULE, 0, CPU)
    objective.memorized = torch.ones(N, dtype=torch.int64)
    loss, parts = objective(GivenOutputs(logits, odds), batch_of(random_labels()), 8)
    loss.backward()
    assert parts["exit_layer"] == 2
    assert [bool(logits.grad[:, m].any()) for m in range(M)] == [False, True, False, False]
    logits.grad = None
    loss, _ = objective(GivenOutputs(logits, random_odds().requires_grad_()), batch_of(random_labels()), 6)
    loss.backward()
    assert logits.grad is None


def test_policies_without_any_doubt_give_finite_losses_and_gradients():
    odds = (1e4 * random_odds()).requires_grad_()
    objective = ConsistentEE(entropy=0.1).objective(SCHEDULE, 0, CPU)
    objective.memorized = torch.ones(N, dtype=torch.int64)
    loss, parts = objective(GivenOutputs(random_logits(), odds), batch_of(random_labels()), 6)
    loss.backward()
    assert loss.isfinite() and odds.grad.isfinite().all() and parts["entropy"] == 0


def test_rollouts_are_fresh_every_step_and_the_same_for_the_same_seed():
    model, batch = GivenOutputs(random_logits(), random_odds()), batch_of(random_labels())

    def sampled(seed, steps=(6, 7, 8, 9)):
        objective = METHOD.objective(SCHEDULE, seed, CPU)
        objective.memorized = torch.ones(N, dtype=torch.int64)
        return [objective(model, batch, step)[1]["reward"].item() for step in steps]

    first = sampled(0)
    assert len(set(first)) == 4 and sampled(0) == first and sampled(1) != first
    assert sampled(0, [8]) == first[2:3]  # a step's draw does not depend on the steps before it


# --- the exits --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tiny_bert", "tiny_albert"])
@torch.no_grad()
def test_one_exit_at_a_time_gives_what_all_give_together(kind, request):
    model = sharp_model(request.getfixturevalue(kind), classes=3)
    states = model.states(SEL.batch(np.arange(9)))
    logits, scores = model.exits(states, model.backbone)
    assert logits.shape == (9, LAYERS, 3) and scores.shape == (9, LAYERS)
    assert scores[:, :-1].std() > 0.1 and (scores[:, -1] == 1).all()
    for m in range(LAYERS):
        here, carry = model.exits.forward_exit(m, states[:, m], model.backbone, None)
        torch.testing.assert_close(here.logits, logits[:, m])
        torch.testing.assert_close(here.learned_scores, scores[:, m])
        assert carry is None


@torch.no_grad()
def test_the_score_is_what_a_small_network_makes_of_the_pooled_state(tiny_bert):
    model = sharp_model(tiny_bert)
    states = model.states(SEL.batch(np.arange(9)))
    scores = model.exits(states, model.backbone).learned_scores
    for m in range(LAYERS - 1):
        weights = {name: value[m] for name, value in model.exits.named_parameters() if name.startswith("policy")}
        inner = torch.nn.functional.gelu(
            model.backbone.pool(states[:, m]) @ weights["policy_inner_weight"].T + weights["policy_inner_bias"]
        )
        odds = inner @ weights["policy_outer_weight"] + weights["policy_outer_bias"]
        torch.testing.assert_close(scores[:, m], 1 / (1 + torch.exp(-odds)))


def test_the_policy_sees_the_pooled_state_without_dropout(tiny_bert):
    model = sharp_model(tiny_bert)
    states = model.states(SEL.batch(np.arange(9)))
    still = model.exits(states, model.backbone)
    moving = model.exits.train()(states, model.backbone)
    assert torch.equal(still.learned_scores, moving.learned_scores) and not torch.equal(still.logits, moving.logits)


def test_leaving_by_the_policy_is_real_and_as_simulated(tiny_bert):
    model, rule = sharp_model(tiny_bert), RULES["policy"]
    rows = np.arange(len(SEL))
    logits, scores = predict(model, SEL, 8)
    simulated = exit_layers(rule.score(logits, scores)[:, :-1], 0.5, rule.harder_is)
    real, exits = early_exit(model, SEL.batch(rows), rule, 0.5)
    assert exits.tolist() == simulated.tolist() and len(set(simulated.tolist())) > 1
    np.testing.assert_allclose(real.numpy(), logits[rows, simulated], rtol=1e-4, atol=1e-5)


def test_the_heads_are_those_of_the_other_methods_and_the_policies_come_on_top(tiny_bert):
    model, other = (method.build(load_backbone(tiny_bert), 2, 1) for method in (ConsistentEE(width=8), Pabee()))
    assert torch.equal(model.exits.weight, other.exits.weight)
    assert count_parameters(model) - count_parameters(other) == (LAYERS - 1) * (HIDDEN * 8 + 8 + 8 + 1)
    extra = [model.exits.flops(m, model.backbone) - other.exits.flops(m, model.backbone) for m in range(LAYERS)]
    assert extra == [2 * HIDDEN * 8 + 2 * 8] * (LAYERS - 1) + [0]
    again, another = (ConsistentEE(width=8).build(load_backbone(tiny_bert), 2, seed) for seed in (1, 2))
    assert torch.equal(model.exits.policy_inner_weight, again.exits.policy_inner_weight)
    assert not torch.equal(model.exits.policy_inner_weight, another.exits.policy_inner_weight)


# --- whole runs -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uninterrupted(tiny_bert, tmp_path_factory):
    """What a run of 6, 2 and 2 steps gives that nothing stopped, and the weights before each of its steps."""
    before = []

    def see(model, batch, step):
        before.append({name: value.clone() for name, value in model.state_dict().items()})

    return run(tiny_bert, METHOD, tmp_path_factory.mktemp("run") / "state", wrap=spying(see)), before


def test_the_stages_follow_the_released_code():
    stages = ConsistentEE().stages()
    assert [stage.share for stage in stages] == pytest.approx([5 / 9, 2 / 9, 2 / 9])
    assert [stage.rate * 1e-5 for stage in stages] == pytest.approx([1e-5, 3e-4, 3e-5])


def test_every_stage_trains_what_it_should_and_leaves_the_rest_bit_for_bit(uninterrupted):
    (weights, _, _), before = uninterrupted

    def changed(first, second):
        return {name for name, value in first.items() if not torch.equal(value, second[name])}

    policies = {name for name in weights if name.startswith("exits.policy")}
    assert len(policies) == 4
    in_stages = [changed(before[begin], end) for begin, end in ((0, before[6]), (6, before[8]), (8, weights))]
    heads = {"exits.weight", "exits.bias", "backbone.encoder.pooler.dense.weight"}
    assert heads <= in_stages[0] and not in_stages[0] & policies
    assert in_stages[1] == policies
    assert heads | policies <= in_stages[2]


def test_the_first_stage_is_that_of_pabee(uninterrupted, tiny_bert, tmp_path):
    history = uninterrupted[0][1]
    other = run(tiny_bert, Pabee(), tmp_path / "state", epochs=1, warmup=0.0)[1]
    assert history["loss"][0] == other["loss"][0]
    assert list(history["reward"].notna()) == [False] * 6 + [True] * 4


@pytest.mark.parametrize("saves", [3, 6, 7, 9])
def test_a_run_killed_in_any_stage_resumes_as_if_it_had_not_been(saves, uninterrupted, tiny_bert, tmp_path):
    with pytest.raises(Killed):
        run(tiny_bert, METHOD, tmp_path / "state", progress=die_after(saves), save_minutes=0.0)
    steps = []
    again = run(tiny_bert, METHOD, tmp_path / "state", wrap=spying(lambda *call: steps.append(call[-1])))
    assert_same(again, uninterrupted[0])
    assert steps == list(range(saves, 10))


def test_golden_losses(tiny_bert, tmp_path):
    without_dropout = spying(lambda model, *_: model.eval())  # which differs between builds of torch
    history = run(tiny_bert, METHOD, tmp_path / "state", wrap=without_dropout)[1]
    expected = [0.690782, 0.672981, 0.709201, 0.790511, 0.689309, 0.703874, -0.017575, -0.013470, 0.707401, 0.688296]
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-3, atol=1e-4)


def test_it_learns_and_leaves_the_earlier_the_dearer_a_layer_is(tiny_bert, tmp_path):
    layers = []
    for alpha in (0.0, 0.5 * LAYERS / PRICED_DEPTH):
        method = ConsistentEE(alpha=alpha, policy_rate=5.0, joint_rate=1.0)
        settings = {"epochs": 14, "checkpoint": "last", "learning_rate": 0.01}
        weights = run(tiny_bert, method, tmp_path / "state", **settings)[0]
        model = method.build(load_backbone(tiny_bert), 2, 0)
        model.load_state_dict(weights)
        logits, scores = predict(model, SEL, 64)
        exits = exit_layers(scores[:, :-1], 0.5, "smaller")
        accuracy = (logits[np.arange(len(SEL)), exits].argmax(-1) == SEL.labels.numpy()).mean()
        assert accuracy >= 0.8
        layers.append(exits.mean() + 1)
    assert layers[1] < layers[0] - 0.5


# --- devices ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_does_not_wait_for_the_device(precision, tiny_bert):
    model, objective = METHOD.build(load_backbone(tiny_bert), 2, 0).train(), METHOD.objective(SCHEDULE, 0, CPU)
    objective.begin_stage(1, model, FIT)
    with NoWaiting(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        for step in (0, 6, 9):
            loss, parts = objective(model, FIT.batch(np.arange(step, step + 8)), step)
            loss.backward()
            assert {loss.dtype, *(part.dtype for part in parts.values())} == {torch.float32}
    assert all(parameter.grad.isfinite().all() for parameter in model.exits.parameters())


def test_a_step_runs_where_no_value_can_be_read_at_all():
    meta = torch.device("meta")
    objective = METHOD.objective(SCHEDULE, 0, meta)
    model = GivenOutputs(random_logits().to(meta), random_odds().to(meta))
    loss, parts = objective(model, batch_of(random_labels().to(meta)), 9)
    assert {loss.device, *(part.device for part in parts.values())} == {meta}
