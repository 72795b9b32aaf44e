import numpy as np
import pytest
import torch
from helpers.objectives import NoWaiting
from helpers.tiny import HIDDEN, LAYERS
from helpers.training import CPU, FIT, Killed, assert_same, die_after, run, spying
from torch.nn import functional as F

from cosee.methods.base import linear_exits_model
from cosee.methods.deebert import Deebert
from cosee.models.heads import PooledExits
from cosee.models.loading import empty_backbone, load_backbone
from cosee.models.multi_exit import count_parameters
from cosee.training.schedule import Schedule

METHODS = {pooler: Deebert(first_share=0.3, pooler=pooler) for pooler in ("own", "shared")}  # 3 of 10 steps
EACH_POOLER = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
EACH_BACKBONE = pytest.mark.parametrize("kind", ["tiny_bert", "tiny_albert"])
BATCH = FIT.batch(np.arange(9))


def built(request, kind, method, num_classes=2):
    return method.build(load_backbone(request.getfixturevalue(kind)), num_classes, 0)


def is_internal(name):
    return name.startswith("exits.internal_")


@EACH_BACKBONE
@EACH_POOLER
@torch.no_grad()
def test_a_fresh_model_is_the_one_with_linear_heads_on_the_shared_pooler(kind, method, request):
    model = built(request, kind, method, num_classes=3).eval()
    shared = linear_exits_model(load_backbone(request.getfixturevalue(kind)), 3, 0.1, 0).eval()
    torch.testing.assert_close(model(BATCH), shared(BATCH))


@EACH_BACKBONE
@EACH_POOLER
@torch.no_grad()
def test_one_exit_at_a_time_gives_what_all_at_once_give(kind, method, request):
    model = built(request, kind, method).eval()
    for parameter in model.exits.parameters():  # every exit differs from the others
        parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
    states, logits = model.states(BATCH), model(BATCH)
    for index in range(LAYERS):
        here, carry = model.exits.forward_exit(index, states[:, index], model.backbone, None)
        torch.testing.assert_close(here.logits, logits[:, index])
        assert here.learned_scores is None and carry is None


@pytest.mark.parametrize("num_classes", [2, 3])
def test_bert_base_grows_by_eleven_poolers_and_heads(num_classes):
    with torch.device("meta"):
        backbone = empty_backbone({"model_type": "bert"})
        exits = PooledExits(backbone, num_classes, 0.1, None)
    final = 768 * num_classes + num_classes
    assert count_parameters(exits) - final == 11 * (590_592 + final)
    assert exits.flops(0, backbone) == exits.flops(11, backbone) == 2 * 768 * 768 + 2 * 768 * num_classes


def test_with_the_shared_pooler_only_heads_are_added(tiny_bert):
    model = METHODS["shared"].build(load_backbone(tiny_bert), 3, 0)
    assert count_parameters(model.exits) == LAYERS * (HIDDEN * 3 + 3)


@EACH_BACKBONE
@EACH_POOLER
def test_each_stage_minimizes_the_cross_entropies_of_its_exits(kind, method, request):
    model = built(request, kind, method, num_classes=3).eval()
    schedule = Schedule(5, 2, stages=method.stages())
    objective = method.objective(schedule, 0, CPU)
    each = [F.cross_entropy(model(BATCH)[:, m], BATCH.labels).item() for m in range(LAYERS)]
    for step, expected in ((0, each[-1]), (2, each[-1]), (3, sum(each[:-1])), (9, sum(each[:-1]))):
        loss, parts = objective(model, BATCH, step)
        assert loss.item() == pytest.approx(expected, rel=1e-6)
        assert parts["loss_ce"] == loss
        assert parts["mean_ce"].item() == pytest.approx(sum(each) / LAYERS, rel=1e-6)


@EACH_BACKBONE
@EACH_POOLER
def test_a_stage_gives_gradients_to_all_that_it_trains_and_to_nothing_else(kind, method, request):
    model = built(request, kind, method).eval()
    schedule = Schedule(5, 2, stages=method.stages())
    for step, stage in ((0, method.stages()[0]), (3, method.stages()[1])):
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(stage.trains(name))
        model.zero_grad()
        method.objective(schedule, 0, CPU)(model, BATCH, step)[0].backward()
        for name, parameter in model.named_parameters():
            assert (parameter.grad is not None) == (is_internal(name) == (step == 3)), name
            if is_internal(name):
                assert step == 0 or all(gradient.any() for gradient in parameter.grad), name  # of every internal exit


@EACH_POOLER
def test_the_second_stage_leaves_backbone_and_last_exit_bit_for_bit(method, tiny_bert, tmp_path):
    seen = {}

    def see(model, batch, step):
        seen[step] = {name: value.clone() for name, value in model.state_dict().items()}

    end, _, _ = run(tiny_bert, method, tmp_path / "state", wrap=spying(see), checkpoint="last", weight_decay=0.1)
    assert {name for name in end if is_internal(name)} == {
        f"exits.internal_{what}"
        for what in ("weight", "bias") + (("pooler_weight", "pooler_bias") if method.pooler == "own" else ())
    }
    for name, value in end.items():
        assert torch.equal(value, seen[3][name]) == (not is_internal(name)), name
        if is_internal(name):
            assert torch.equal(seen[3][name], seen[0][name]), name  # the first stage leaves the internal exits
    assert not torch.equal(end["exits.final_weight"], seen[0]["exits.final_weight"])


def test_the_stages_share_the_steps_of_one_run(tiny_bert, tmp_path):
    history = run(tiny_bert, Deebert(), tmp_path / "state", warmup=0.0)[1]
    falling = [1.0, 0.8, 0.6, 0.4, 0.2]
    np.testing.assert_allclose(history["lr"], 0.01 * np.array(falling + falling))


@pytest.mark.parametrize(
    ("pooler", "expected"),
    [
        ("own", [0.671222, 0.680254, 2.079078, 2.144756, 2.055612]),
        ("shared", [0.671222, 0.680254, 2.078733, 2.143436, 2.059756]),
    ],
)
def test_golden_losses_of_the_first_steps(pooler, expected, tiny_bert, tmp_path):
    without_dropout = spying(lambda model, *_: model.eval())  # which differs between builds of torch
    method = Deebert(first_share=0.4, pooler=pooler)
    history = run(tiny_bert, method, tmp_path / "state", epochs=1, wrap=without_dropout)[1]
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-4)


@pytest.fixture(scope="module")
def uninterrupted(tiny_bert, tmp_path_factory):
    return run(tiny_bert, METHODS["own"], tmp_path_factory.mktemp("uninterrupted") / "state")


@pytest.mark.parametrize("saves", [2, 3, 5, 8])  # in the first stage, at its end, in the second
def test_a_killed_run_resumes_as_if_it_had_not_been(saves, uninterrupted, tiny_bert, tmp_path):
    with pytest.raises(Killed):
        run(tiny_bert, METHODS["own"], tmp_path / "state", progress=die_after(saves), save_minutes=0.0)
    steps = []
    again = run(tiny_bert, METHODS["own"], tmp_path / "state", wrap=spying(lambda *call: steps.append(call[-1])))
    assert_same(again, uninterrupted)
    assert steps == list(range(saves, 10))


def test_both_stages_learn(tiny_bert, tmp_path):
    _, history, facts = run(tiny_bert, Deebert(), tmp_path / "state", epochs=16, learning_rate=0.005)
    loss = history["loss"]
    assert loss[30:40].mean() < 0.7 * loss[:10].mean() and loss[-10:].mean() < 0.95 * loss[40:50].mean()
    assert facts["best_epoch"] >= 8 and facts["sel_score"] >= 0.8
    assert history["sel_accuracy_4"].dropna()[7:].nunique() == 1  # the last exit stays as the first stage left it
    assert history["sel_accuracy_3"].dropna()[7:].nunique() > 1


@EACH_POOLER
def test_a_step_does_not_wait_for_the_device(method, tiny_bert):
    model = method.build(load_backbone(tiny_bert), 2, 0).train()
    objective = method.objective(Schedule(5, 2, stages=method.stages()), 0, CPU)
    with NoWaiting():
        for step in (0, 3):
            objective(model, BATCH, step)[0].backward()
    assert model.exits.internal_weight.grad.any()
