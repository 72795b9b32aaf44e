"""Trained models as models of transformers: equal weights and exits after a round trip, and choice of the speed-up."""

import numpy as np
import pytest
import torch
from helpers.tiny import LAYERS, token_split, write_backbone
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForSequenceClassification

from cosee.data.batches import DeviceSplit
from cosee.errors import InputError
from cosee.evaluation.curve_frames import tradeoff_frame
from cosee.evaluation.frames import RunId
from cosee.evaluation.outputs import ExitOutputs
from cosee.exiting.simulation import exit_layers, speedup_ratio
from cosee.export.hf_model import EarlyExitConfig, EarlyExitForSequenceClassification
from cosee.io import read_json
from cosee.methods import METHODS, make_method, rule_named
from cosee.models.loading import backbone_of_run, load_backbone
from cosee.models.prediction import predict

ROWS = 40
SPLIT = DeviceSplit(token_split(ROWS, seed=5), torch.device("cpu"))
RULE_OF = {"pondernet": "quantile", "palbert": "quantile", "consistentee": "policy", "pabee": "patience"}


def inputs(rows=None):
    """Arguments of `forward` for rows of the split."""
    batch = SPLIT.batch(np.arange(ROWS) if rows is None else rows)
    return {key: getattr(batch, key) for key in ("input_ids", "attention_mask", "token_type_ids")}


def made(method, folder, settings=None, seed=0, rule=None):
    """A model of a method with the weights that training would start from, made to disagree, and its predictions."""
    built = make_method(method, settings or {}).build(backbone_of_run(folder, seed), 2, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in built.exits.state_dict().items():
            if value.is_floating_point():
                value.add_(
                    torch.randn(value.shape, generator=generator).abs()
                    if "var" in name
                    else 0.3 * torch.randn(value.shape, generator=generator)
                )
    outputs = predict(built, SPLIT, ROWS)
    costs = built.exit_costs(8.0)
    labels = token_split(ROWS, seed=5).labels
    predictions = ExitOutputs(
        outputs.logits, labels, np.arange(ROWS), LAYERS, built.exit_depths, costs, outputs.learned_scores
    )
    rule = rule_named(rule or RULE_OF.get(method, "energy"))
    table = [{"speedup": LAYERS / built.exit_depths[0], "threshold": None, "score": 0.5}]
    if built.num_exits > 1:
        curve = tradeoff_frame(RunId("rte", "bert", method, seed, method), predictions, "sel", rule)
        table = curve[["speedup", "threshold", "score"]].to_dict("records")
    config = EarlyExitConfig(
        method=method,
        method_settings=settings or {},
        encoder=read_json(folder / "config.json"),
        rule=rule.name,
        tradeoff=table,
        threshold=table[0]["threshold"],
        id2label={0: "entailment", 1: "not_entailment"},
    )
    model = EarlyExitForSequenceClassification(config)
    model.model.load_state_dict(built.state_dict())
    return model.eval(), predictions


FAMILIES = (
    "roberta",
    "electra",
    "distilbert",
    "deberta-v2",
    "modernbert",
    "gpt2",
    "gpt_neox",
    "llama",
    "mamba",
    "mamba2",
)


@pytest.fixture(scope="session")
def families(tmp_path_factory):
    """Folders of tiny encoders by type."""
    base = tmp_path_factory.mktemp("families")
    return {kind: write_backbone(base / kind, kind) for kind in FAMILIES}


def clear_threshold(model, predictions):
    """Of the middle of the trade-off table the threshold that is furthest from all scores: rounding decides nothing."""
    table = model.config.tradeoff
    if len(table) == 1:
        return table[0]["threshold"]
    scores = predictions.exit_scores(model.rule)
    middle = [point["threshold"] for point in table[len(table) // 4 : len(table) - len(table) // 4]]
    clear = max(middle, key=lambda threshold: np.abs(scores - threshold).min())
    assert np.abs(scores - clear).min() > 1e-4  # a hundred times what rounding changes
    return clear


@pytest.fixture(scope="module")
def cosee_model(tiny_bert):
    return made("cosee", tiny_bert)


@pytest.mark.parametrize(
    ("method", "backbone"),
    [
        *((method, "tiny_bert") for method in METHODS),
        ("deebert", "tiny_albert_groups"),
        *((method, "tiny_bert_fresh") for method in ("cosee", "finetune", "berxit", "gpfee")),
        *((method, "tiny_mpnet_norm") for method in ("cosee", "deebert", "gpfee")),
    ],
)
def test_every_method_comes_back_exactly(method, backbone, request, tmp_path):
    comes_back(method, request.getfixturevalue(backbone), tmp_path)


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("method", ["cosee", "deebert", "gpfee"])
def test_every_family_comes_back_exactly(method, kind, families, tmp_path):
    comes_back(method, families[kind], tmp_path)


@pytest.mark.parametrize("kind", [*FAMILIES, "bert"])
def test_padding_may_stand_on_either_side(kind, families, tiny_bert):
    model, predictions = made("cosee", families.get(kind, tiny_bert))
    model.config.threshold = clear_threshold(model, predictions)
    right = inputs()
    lengths, longest = right["attention_mask"].sum(dim=1), right["attention_mask"].shape[1]
    turned = (torch.arange(longest) - (longest - lengths)[:, None]) % longest
    left = {name: values.gather(1, turned) for name, values in right.items()}
    assert not left["attention_mask"][:, 0].all() and left["attention_mask"][:, -1].all()
    one, other = model(**right), model(**left)
    assert torch.equal(one.logits, other.logits) and torch.equal(one.exit_layers, other.exit_layers)


def comes_back(method, folder, tmp_path):
    """Weights, logits and exits of a model are the same once it is saved and loaded."""
    model, predictions = made(method, folder)
    model.save_pretrained(tmp_path / "saved")
    back = AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved")
    assert isinstance(back, EarlyExitForSequenceClassification) and not back.training
    before, after = model.state_dict(), back.state_dict()
    assert before.keys() == after.keys() == load_file(tmp_path / "saved" / "model.safetensors").keys()
    assert all(torch.equal(before[name], after[name]) and before[name].dtype == after[name].dtype for name in before)
    for threshold in (None, clear_threshold(model, predictions)):
        model.config.threshold = back.config.threshold = threshold
        model.config.check_every = back.config.check_every = 1
        one, other = model(**inputs()), back(**inputs())
        assert torch.equal(one.logits, other.logits) and torch.equal(one.exit_layers, other.exit_layers)
        back.config.check_every = 3  # rows stay longer in the batch: sums of another order, but the same exits
        later = back(**inputs())
        assert torch.equal(one.exit_layers, later.exit_layers)
        torch.testing.assert_close(one.logits, later.logits)
        layers = np.full(ROWS, LAYERS - 1)
        if threshold is not None:
            layers = exit_layers(predictions.exit_scores(model.rule), threshold, model.rule.harder_is)
        assert one.exit_layers.tolist() == layers.tolist()
        taken = layers if len(predictions.exit_depths) > 1 else np.zeros(ROWS, dtype=int)
        expected = predictions.logits[np.arange(ROWS), taken]
        np.testing.assert_allclose(one.logits.numpy(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rule", ["geometric", "mean", "voting", "beem"])
def test_the_answer_is_that_of_the_rule(rule, tiny_bert):
    model, predictions = made("cosee", tiny_bert, rule=rule)
    answers = predictions.answer_scores(model.rule)
    assert (answers.argmax(-1) != predictions.predicted).any() == (rule != "beem")
    thresholds = (None, 2.0 if rule in ("voting", "beem") else clear_threshold(model, predictions))
    for threshold in thresholds:
        model.config.threshold = threshold
        layers = np.full(ROWS, LAYERS - 1)
        if threshold is not None:
            layers = exit_layers(predictions.exit_scores(model.rule), threshold, model.rule.harder_is)
            assert len(set(layers)) > 1
        output = model(**inputs())
        assert output.exit_layers.tolist() == layers.tolist()
        np.testing.assert_allclose(output.logits.numpy(), answers[np.arange(ROWS), layers], rtol=1e-4, atol=1e-4)


def test_a_configuration_comes_back_exactly(cosee_model, tmp_path):
    config = cosee_model[0].config
    config.save_pretrained(tmp_path)
    back = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(back, EarlyExitConfig)
    for name in ("method", "method_settings", "encoder", "rule", "tradeoff", "threshold", "id2label", "label2id"):
        assert getattr(back, name) == getattr(config, name), name
    assert back.num_labels == 2


@pytest.mark.parametrize("target", [1.0, 1.5, 2.0, 3.0, 4.0])
def test_a_speed_up_is_realized_on_the_rows_of_the_table(cosee_model, target):
    model, predictions = cosee_model
    point = model.set_speedup(target)
    layers = model(**inputs()).exit_layers.numpy()
    assert speedup_ratio(layers, LAYERS) == pytest.approx(point["speedup"]) == pytest.approx(target, rel=0.05)
    simulated = exit_layers(predictions.exit_scores(model.rule), point["threshold"], model.rule.harder_is)
    assert layers.tolist() == simulated.tolist()
    nearest = min(abs(row["speedup"] - target) for row in model.config.tradeoff)
    assert abs(point["speedup"] - target) == nearest


def test_a_batch_of_one_leaves_where_the_split_does(cosee_model):
    model, _ = cosee_model
    model.set_speedup(2.0)
    layers = model(**inputs()).exit_layers.tolist()
    assert len(set(layers)) > 1
    assert [model(**inputs(np.array([row]))).exit_layers.item() for row in range(ROWS)] == layers


def test_the_choice_is_saved(cosee_model, tmp_path):
    model, _ = cosee_model
    threshold = model.set_speedup(2.0)["threshold"]
    model.save_pretrained(tmp_path)
    assert EarlyExitForSequenceClassification.from_pretrained(tmp_path).config.threshold == threshold


@pytest.mark.parametrize("target", [0.5, 4.5, 100, -2, float("nan")])
def test_a_speed_up_beyond_the_table_is_refused_with_what_there_is(cosee_model, target):
    model, _ = cosee_model
    model.set_threshold(0.25)
    with pytest.raises(InputError, match=r"operating points from 1x to 4x"):
        model.set_speedup(target)
    assert model.config.threshold == 0.25


def test_a_gap_in_the_table_is_refused_unless_tolerated(cosee_model, monkeypatch):
    model, _ = cosee_model
    points = [{"speedup": s, "threshold": s / 10, "score": 0.5} for s in (1.0, 1.5, 3.0)]
    monkeypatch.setattr(model.config, "tradeoff", points)
    with pytest.raises(InputError, match=r"nothing within 5% of 2x; .* 1\.5x being the nearest"):
        model.set_speedup(2.0)
    assert model.set_speedup(2.0, tolerance=0.3) == points[1]
    assert model.set_speedup(2.25, tolerance=0.5) == points[1]  # of two equally close ones the slower
    monkeypatch.setattr(model.config, "tradeoff", [])
    with pytest.raises(InputError, match="no trade-off table"):
        model.set_speedup(2.0)


def test_thresholds_are_checked(cosee_model, tiny_bert):
    model, predictions = cosee_model
    model.set_threshold(0.3)
    simulated = exit_layers(predictions.exit_scores(model.rule), 0.3, model.rule.harder_is)
    assert model(**inputs()).exit_layers.tolist() == simulated.tolist()
    with pytest.raises(InputError, match="lie between 0 and 1"):
        model.set_threshold(1.5)
    policy, _ = made("consistentee", tiny_bert)
    policy.set_threshold(0.5)
    with pytest.raises(InputError, match=r"no threshold but 0\.5, got 0\.4"):
        policy.set_threshold(0.4)


def test_a_model_of_half_the_layers_has_one_speed_up(tiny_bert):
    model, _ = made("finetune", tiny_bert, {"depth": 2})
    assert model.set_speedup(2.0)["threshold"] is None
    assert model(**inputs()).exit_layers.tolist() == [1] * ROWS
    with pytest.raises(InputError, match="it gives 2x alone"):
        model.set_speedup(1.5)
    with pytest.raises(InputError, match="a single exit"):
        model.set_threshold(0.5)


def test_segments_and_mask_may_be_left_out(cosee_model):
    model, _ = cosee_model
    model.set_speedup(2.0)
    ids = inputs(np.array([3]))["input_ids"]
    bare = model(ids)
    full = model(ids, attention_mask=torch.ones_like(ids), token_type_ids=torch.zeros_like(ids))
    torch.testing.assert_close(bare.logits, full.logits)
    assert bare[0] is bare.logits and bare.exit_layers.tolist() == full.exit_layers.tolist()


def test_training_mode_is_refused(cosee_model):
    model, _ = cosee_model
    model.train()
    with pytest.raises(InputError, match="training mode"):
        model(**inputs())
    model.eval()


def test_a_half_precision_encoder_configuration_still_gives_float32(tiny_bert):
    encoder = read_json(tiny_bert / "config.json") | {"dtype": "float16"}
    model = EarlyExitForSequenceClassification(EarlyExitConfig(encoder=encoder))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_outside_of_a_model_of_the_hub_backbones_are_read_from_their_folders(cosee_model, tmp_path):
    with pytest.raises(InputError, match=r"no config\.json"):
        load_backbone(tmp_path)
