import itertools
import logging
from functools import cache

import numpy as np
import pytest
import torch
from helpers.objectives import NoWaiting
from helpers.tiny import token_split
from helpers.training import CPU, FIT, SEL, Killed, Spy, assert_same, die_after, run, spying
from torch.nn import functional as F

from cosee.data.batches import DeviceSplit
from cosee.errors import InputError
from cosee.methods.cosee import Cosee
from cosee.methods.finetune import Finetune
from cosee.models.loading import load_backbone
from cosee.training import loop
from cosee.training.optimizer import make_optimizer, update
from cosee.training.schedule import Schedule

METHODS = {"finetune": Finetune(depth=3), "cosee": Cosee(alpha=0.5, beta0=2.0)}
EACH_METHOD = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


# --- what is learned --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("finetune", [0.711340, 0.670557, 0.708484, 0.790076, 0.704110]),
        ("cosee", [0.845500, 0.802329, 0.868900, 0.980266, 0.844382]),
    ],
)
def test_golden_losses_of_the_first_steps(name, expected, tiny_bert, tmp_path):
    without_dropout = spying(lambda model, *_: model.eval())  # which differs between builds of torch
    history = run(tiny_bert, METHODS[name], tmp_path / "state", epochs=1, wrap=without_dropout)[1]
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-4)


@EACH_METHOD
def test_training_learns(method, tiny_bert, tmp_path):
    _, history, facts = run(tiny_bert, method, tmp_path / "state", epochs=16)
    assert history["mean_ce"][-10:].mean() < 0.7 * history["mean_ce"][:10].mean()
    assert facts["sel_score"] >= 0.8


@EACH_METHOD
def test_a_run_is_the_same_twice_whatever_the_global_random_state(method, tiny_bert, tmp_path):
    first = run(tiny_bert, method, tmp_path / "first")
    torch.rand(17), np.random.random(3)
    assert_same(run(tiny_bert, method, tmp_path / "second"), first)
    other = run(tiny_bert, method, tmp_path / "third", seed=1)
    assert not other[1]["loss"].equals(first[1]["loss"])


@EACH_METHOD
def test_global_random_states_are_left_as_they_were(method, tiny_bert, tmp_path):
    before_torch, before_numpy = torch.get_rng_state(), np.random.get_state()[1].copy()
    run(tiny_bert, method, tmp_path / "state")
    assert torch.equal(torch.get_rng_state(), before_torch)
    assert np.array_equal(np.random.get_state()[1], before_numpy)


def test_methods_with_one_seed_see_the_same_rows_in_the_same_order(tiny_bert, tmp_path):
    seen = {}
    for name, method in METHODS.items():
        seen[name] = []
        see = spying(lambda model, batch, step, rows=seen[name]: rows.append(batch.input_ids))
        run(tiny_bert, method, tmp_path / name, wrap=see)
    assert len(seen["cosee"]) == 10
    assert all(torch.equal(a, b) for a, b in zip(*seen.values(), strict=True))
    first, second = seen["cosee"][:5], seen["cosee"][5:]
    assert any(a.shape != b.shape or not torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_dropout_is_on_while_learning(tiny_bert, tmp_path):
    modes = []
    run(tiny_bert, METHODS["cosee"], tmp_path / "s", wrap=spying(lambda model, *_: modes.append(model.training)))
    assert modes == [True] * 10


def test_bf16_learns_about_the_same(tiny_bert, tmp_path):
    plain = run(tiny_bert, METHODS["cosee"], tmp_path / "a", epochs=1)
    mixed = run(tiny_bert, METHODS["cosee"], tmp_path / "b", epochs=1, precision="bf16")
    assert {value.dtype for value in mixed[0].values()} == {torch.float32}
    assert not mixed[1]["loss"].equals(plain[1]["loss"])
    np.testing.assert_allclose(mixed[1]["loss"][:3], plain[1]["loss"][:3], rtol=0.05)


# --- history and checkpoints ------------------------------------------------------------------------------------------


def test_the_history_has_a_row_per_step_and_accuracies_at_the_end_of_epochs(tiny_bert, tmp_path):
    history = run(tiny_bert, METHODS["cosee"], tmp_path / "state")[1]
    assert list(history["step"]) == list(range(1, 11))
    assert list(history["epoch"]) == [1] * 5 + [2] * 5
    accuracies = history[[f"sel_accuracy_{m}" for m in range(1, 5)]]
    assert list(accuracies.notna().all(axis=1)) == ([False] * 4 + [True]) * 2
    assert accuracies["sel_accuracy_4"].dropna().tolist() == history["sel_score"].dropna().tolist()
    np.testing.assert_allclose(history["loss"], history["loss_ce"] + 0.5 * history["loss_osc"], rtol=1e-5)
    np.testing.assert_allclose(history["beta"], 2.0 * np.arange(10) / 10, rtol=1e-6)
    assert set(history["threshold_low"][:5]) == {0.0} and set(history["threshold_high"][:5]) == {1.0}
    assert history["threshold_high"][5:].nunique() == 1 and 0 < history["threshold_high"][5] < 1


def test_a_truncated_model_names_its_one_exit_by_depth(tiny_bert, tmp_path):
    assert "sel_accuracy_3" in run(tiny_bert, METHODS["finetune"], tmp_path / "state", epochs=1)[1]


TWO_RULES = {"patience": [0.5, 0.9, 0.1, 0.9], "pcee": [0.2, 0.3, 0.8, 0.4]}
"""Scores of four epochs by two exit rules, whose best epochs are the second and the third."""


def by_two_rules(begin=0):
    """A `select` that gives the scores of `TWO_RULES`, one epoch after the other."""
    epochs = itertools.count(begin)
    return lambda outputs: {rule: scores[epoch] for epoch in [next(epochs)] for rule, scores in TWO_RULES.items()}


def test_each_exit_rule_keeps_a_checkpoint_of_its_own(tiny_bert, tmp_path):
    method, kept, alone = METHODS["cosee"], [], {}
    weights, history, facts = run(tiny_bert, method, tmp_path / "s", select=by_two_rules(), kept=kept, epochs=4)
    assert facts["best_epoch"] == {"patience": 2, "pcee": 3} and facts["sel_score"] == {"patience": 0.9, "pcee": 0.8}
    assert history["sel_score"].dropna().tolist() == TWO_RULES["patience"]
    assert history["sel_score_pcee"].dropna().tolist() == TWO_RULES["pcee"]
    for rule, scores in TWO_RULES.items():
        one = itertools.cycle(scores)
        alone[rule] = run(tiny_bert, method, tmp_path / rule, select=lambda _, one=one: next(one), epochs=4)[0]
    assert kept[0].weights.keys() == {1, 2}  # counted from 0
    for epoch, rule in ((1, "patience"), (2, "pcee")):
        assert all(torch.equal(value, alone[rule][name]) for name, value in kept[0].weights[epoch].items())
    assert all(torch.equal(value, alone["patience"][name]) for name, value in weights.items())  # of the first rule


def test_the_last_checkpoint_is_that_of_all_rules(tiny_bert, tmp_path):
    kept = []
    facts = run(
        tiny_bert, METHODS["cosee"], tmp_path / "s", select=by_two_rules(), kept=kept, epochs=4, checkpoint="last"
    )[2]
    assert facts["best_epoch"] == {"patience": 4, "pcee": 4} and kept[0].weights.keys() == {3}


@pytest.mark.parametrize("saves", range(1, 16, 2))
def test_a_killed_run_keeps_the_checkpoints_of_all_rules(saves, tiny_bert, tmp_path):
    method, state, options = METHODS["cosee"], tmp_path / "state", {"epochs": 4, "save_minutes": 0.0}
    whole, kept = [], []
    expected = run(tiny_bert, method, tmp_path / "whole", select=by_two_rules(), kept=whole, **options)
    compared, scores = [], by_two_rules()

    def counted(outputs):
        compared.append(outputs)
        return scores(outputs)

    with pytest.raises(Killed):
        run(tiny_bert, method, state, select=counted, progress=die_after(saves), **options)
    resumed = run(tiny_bert, method, state, select=by_two_rules(len(compared)), kept=kept, **options)
    assert_same(resumed, expected)
    assert kept[0].weights.keys() == whole[0].weights.keys()
    for epoch, weights in whole[0].weights.items():
        assert all(torch.equal(value, kept[0].weights[epoch][name]) for name, value in weights.items())


@pytest.mark.parametrize(("checkpoint", "chosen"), [("best", 2), ("last", 4)])
def test_the_chosen_checkpoint_is_restored(checkpoint, chosen, tiny_bert, tmp_path):
    scores, seen = itertools.cycle([0.5, 0.9, 0.1, 0.9]), []

    def select(outputs):
        seen.append(outputs.logits)
        return next(scores)

    method = METHODS["cosee"]
    weights, _, facts = run(tiny_bert, method, tmp_path / "s", select=select, epochs=4, checkpoint=checkpoint)
    assert facts["best_epoch"] == chosen and facts["sel_score"] == 0.9
    model = method.build(load_backbone(tiny_bert), 2, 0)
    model.load_state_dict(weights)
    logits = loop.predict(model, SEL, 64).logits
    assert [np.array_equal(logits, other) for other in seen] == [epoch == chosen for epoch in range(1, 5)]


def test_scalars_that_wait_for_their_history_row_hold_no_graph(tiny_bert, tmp_path, monkeypatch):
    seen, original = [], loop.history_rows

    def spy(pending_scalars, *others):
        seen.extend(scalar for scalars in pending_scalars for scalar in scalars.values())
        return original(pending_scalars, *others)

    monkeypatch.setattr(loop, "history_rows", spy)
    run(tiny_bert, METHODS["cosee"], tmp_path / "state", epochs=1)
    assert len(seen) >= 5 * 4 and not any(scalar.requires_grad for scalar in seen)


def test_parameters_are_views_of_flat_tensors_while_they_are_trained(tiny_bert, tmp_path):
    storages = []

    def see(model, *_):
        storages.append({parameter.untyped_storage().data_ptr() for parameter in model.parameters()})

    run(tiny_bert, METHODS["cosee"], tmp_path / "state", epochs=1, wrap=spying(see))
    assert {len(each) for each in storages} == {2}  # with weight decay, and without


# --- schedule, optimizer, accumulation --------------------------------------------------------------------------------


@pytest.mark.parametrize("accumulation", [1, 2])
def test_the_schedule_spans_the_optimizer_steps(tiny_bert, tmp_path, accumulation, monkeypatch):
    used = []
    step = torch.optim.AdamW.step
    monkeypatch.setattr(
        torch.optim.AdamW, "step", lambda self: (used.append({g["lr"] for g in self.param_groups}), step(self))
    )
    settings = {"accumulation": accumulation, "batch_size": 8 * accumulation, "warmup": 0.25}
    history = run(tiny_bert, METHODS["finetune"], tmp_path / "state", **settings)[1]
    steps = 10 if accumulation == 1 else 6  # 5 batches of 8 rows are 2 pairs and a single one
    assert list(history["step"]) == list(range(1, steps + 1))
    expected = [0.01 * Schedule(steps, 1).rate(i, 0.25) for i in range(steps)]
    assert history["lr"].tolist() == pytest.approx(expected)
    assert [rate for rates in used for rate in rates] == pytest.approx(expected)


def test_two_halves_make_about_one_whole_batch(tiny_bert, tmp_path):
    split = token_split(64, shortest=8, longest=8)  # equal lengths: both runs see the same rows in each step
    method, fit = Finetune(dropout=0.0), DeviceSplit(split, CPU)

    def without_dropout(model, batch, step):
        model.eval()

    options = {"fit": fit, "wrap": spying(without_dropout), "epochs": 1, "learning_rate": 1e-3, "batch_size": 16}
    whole_and_halves = []
    for accumulation in (1, 2):
        # The order of the rows depends on the size of the forward batches, so it is fixed for this comparison.
        order = np.arange(64).reshape(-1, 16 // accumulation)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "training_order", lambda *_, order=order: list(order))
            whole_and_halves.append(run(tiny_bert, method, tmp_path / "s", accumulation=accumulation, **options))
    (weights, history, _), (other_weights, other_history, _) = whole_and_halves
    assert history["step"].tolist() == other_history["step"].tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(other_history["loss"], history["loss"], rtol=1e-4)
    # One bias for all keys shifts all attention scores of a query alike, which softmax takes out again: its gradient is
    # zero but for rounding, and Adam divides what there is by its own size. Everything else is close.
    shown, other_shown = (
        {name: value for name, value in state.items() if not name.endswith("key.bias")}
        for state in (weights, other_weights)
    )
    assert len(shown) == len(weights) - 4
    torch.testing.assert_close(other_shown, shown, rtol=1e-3, atol=1e-4)


def test_gradients_are_clipped_to_the_norm(tiny_bert, tmp_path, monkeypatch):
    norms = []
    step = torch.optim.AdamW.step

    def spy(self):
        gradients = [p.grad.flatten() for g in self.param_groups for p in g["params"] if p.grad is not None]
        norms.append(torch.cat(gradients).norm().item())
        step(self)

    monkeypatch.setattr(torch.optim.AdamW, "step", spy)
    run(tiny_bert, METHODS["cosee"], tmp_path / "state", clip=0.25, epochs=1)
    assert max(norms) == pytest.approx(0.25, rel=1e-3)


# --- resume -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uninterrupted(tiny_bert, tmp_path_factory):
    """Results of runs that nothing stopped, each trained once: method, accumulation -> what `run` gives."""

    @cache
    def trained(method, accumulation=1):
        folder = tmp_path_factory.mktemp("uninterrupted")
        return run(tiny_bert, method, folder / "state", accumulation=accumulation, batch_size=8 * accumulation)

    return trained


@EACH_METHOD
@pytest.mark.parametrize(("accumulation", "saves"), [(1, 1), (1, 4), (1, 5), (1, 8), (2, 1), (2, 3), (2, 5)])
def test_a_run_killed_after_a_save_resumes_as_if_it_had_not_been(
    method, accumulation, saves, uninterrupted, tiny_bert, tmp_path
):
    # Without accumulation, saves 1 to 4 are in the first epoch, 5 is at its end; with it, 1 and 2 are, and 3.
    settings = {"accumulation": accumulation, "batch_size": 8 * accumulation}
    with pytest.raises(Killed):
        run(tiny_bert, method, tmp_path / "state", progress=die_after(saves), save_minutes=0.0, **settings)
    steps = []
    again = run(tiny_bert, method, tmp_path / "state", wrap=spying(lambda *call: steps.append(call[-1])), **settings)
    assert_same(again, uninterrupted(method, accumulation))
    schedule = Schedule(5, 2, accumulation)
    every = [schedule.step(epoch, batch) for epoch in range(2) for batch in range(5)]
    assert steps == every[-len(steps) :] and len(steps) < 10  # it did resume, not start anew


@EACH_METHOD
@pytest.mark.parametrize("batch", [1, 4, 6, 8])
def test_a_run_killed_between_two_saves_resumes_from_the_earlier(method, batch, uninterrupted, tiny_bert, tmp_path):
    calls = itertools.count()

    def kill(model, seen, step):
        if next(calls) == batch:
            raise Killed

    settings = {"accumulation": 4, "batch_size": 32}  # a step is made of batches 0-3, 4, 5-8, 9
    with pytest.raises(Killed):
        run(tiny_bert, method, tmp_path / "state", wrap=spying(kill), save_minutes=0.0, **settings)
    assert_same(run(tiny_bert, method, tmp_path / "state", **settings), uninterrupted(method, 4))


def test_a_run_may_be_killed_again_and_again(uninterrupted, tiny_bert, tmp_path):
    method = METHODS["cosee"]
    for _ in range(3):
        with pytest.raises(Killed):
            run(tiny_bert, method, tmp_path / "state", progress=die_after(2), save_minutes=0.0)
    assert_same(run(tiny_bert, method, tmp_path / "state"), uninterrupted(method))


def killed(folder, path, **changes):
    """A run of COSEE that died after its second save."""
    with pytest.raises(Killed):
        run(folder, METHODS["cosee"], path, progress=die_after(2), save_minutes=0.0, **changes)


def test_the_state_of_another_run_is_left_aside(uninterrupted, tiny_bert, tmp_path):
    killed(tiny_bert, tmp_path / "state", fingerprint="another", learning_rate=0.1)
    assert_same(run(tiny_bert, METHODS["cosee"], tmp_path / "state"), uninterrupted(METHODS["cosee"]))


def test_a_damaged_state_is_left_aside_with_a_warning(uninterrupted, tiny_bert, tmp_path, caplog):
    method, path = METHODS["cosee"], tmp_path / "state"
    killed(tiny_bert, path)
    path.write_bytes(path.read_bytes()[:5000])
    with caplog.at_level(logging.WARNING):
        assert_same(run(tiny_bert, method, path), uninterrupted(method))
    assert "state is damaged" in caplog.text


def test_nothing_is_saved_before_its_time(tiny_bert, tmp_path):
    run(tiny_bert, METHODS["cosee"], tmp_path / "state", save_minutes=5.0)
    assert list(tmp_path.iterdir()) == []


# --- numbers that are none --------------------------------------------------------------------------------------------


@EACH_METHOD
def test_a_loss_that_is_no_number_stops_the_run_and_names_step_and_examples(method, tiny_bert, tmp_path):
    rows = {}

    class Poisoned(Spy):
        def __call__(self, model, batch, step):
            loss, parts = self.goal(model, batch, step)
            rows[step] = batch.labels
            return (loss * torch.nan if step == 7 else loss), parts

    with pytest.raises(InputError) as caught:
        run(tiny_bert, method, tmp_path / "state", wrap=lambda goal: Poisoned(goal, None))
    message = str(caught.value)
    assert "the loss of step 8 (epoch 2, batch 3 of 5, examples " in message
    named = [int(index) for index in message.partition("examples ")[2].partition(")")[0].split(", ")]
    assert len(named) == 8 and FIT.labels[named].tolist() == rows[7].tolist()


def test_a_state_with_numbers_that_are_none_is_not_saved(tiny_bert, tmp_path):
    def poison(model, batch, step):
        if step == 3:
            model.exits.bias.data[:] = torch.nan

    with pytest.raises(InputError, match="step 4"):
        run(tiny_bert, METHODS["cosee"], tmp_path / "state", wrap=spying(poison), save_minutes=0.0)
    see = []
    run(tiny_bert, METHODS["cosee"], tmp_path / "state", wrap=spying(lambda model, batch, step: see.append(step)))
    assert see[0] == 3  # the state after three healthy steps


def test_weights_that_the_last_step_ruined_are_noticed(tiny_bert, tmp_path, monkeypatch):
    step = torch.optim.AdamW.step

    def ruin(self):
        step(self)
        self.param_groups[0]["params"][0].data[:] = torch.nan

    monkeypatch.setattr(torch.optim.AdamW, "step", ruin)
    with pytest.raises(InputError, match="after epoch 1 the logits of the selection split are not finite"):
        run(tiny_bert, METHODS["cosee"], tmp_path / "state", epochs=1, batch_size=40)


# --- devices ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@EACH_METHOD
def test_a_whole_step_does_not_wait_for_the_device(method, precision, tiny_bert):
    model = method.build(load_backbone(tiny_bert), 2, 0).train()
    model.mixed_precision = precision == "bf16"
    goal, optimizer = method.objective(Schedule(9, 1), 0, CPU), make_optimizer(model, 0.01, 0.0)
    with NoWaiting():
        for step in range(3):
            loss, _ = goal(model, FIT.batch(np.arange(step, step + 8)), step)
            loss.backward()
            update(optimizer, 0.01, 1.0)
    assert torch.isfinite(F.softmax(model.exits.weight, -1)).all()


@pytest.mark.gpu
@EACH_METHOD
def test_a_step_on_a_gpu_does_not_wait_for_it(method, tiny_bert, gpu):
    fit = DeviceSplit(token_split(72), gpu)
    model = method.build(load_backbone(tiny_bert), 2, 0).to(gpu).train()
    goal, optimizer = method.objective(Schedule(9, 1), 0, gpu), make_optimizer(model, 0.01, 0.0)
    try:
        for step in range(4):
            torch.cuda.set_sync_debug_mode("error" if step else "default")  # the first step sets things up
            loss, _ = goal(model, fit.batch(np.arange(step, step + 8)), step)
            loss.backward()
            update(optimizer, 0.01, 1.0)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert loss.isfinite()
