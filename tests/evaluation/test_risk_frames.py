import numpy as np
import pytest

from cosee.evaluation.frames import RunId
from cosee.evaluation.outputs import ExitOutputs
from cosee.evaluation.point_frames import targets_frame
from cosee.evaluation.risk import losses
from cosee.evaluation.risk_frames import COLUMNS, by_speed, deployed_rule, risk_frame
from cosee.evaluation.risk_procedures import calibrate
from cosee.exiting.rules import RULES
from cosee.exiting.simulation import exit_layers

ENERGY, POLICY, PCEE = RULES["energy"], RULES["policy"], RULES["pcee"]
RUN = RunId("sst2", "bert", "cosee", 0, "cosee-energy")
ASKED = {"levels": [0.01, 0.1], "confidence": 0.9, "kinds": ["same", "harm"], "procedures": ["naive", "ltt", "lynx"]}


def outputs(seed, num_examples=200, num_exits=5, eagerness=None):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1, (num_examples, 1, 2)) * np.linspace(0.5, 2, num_exits)[:, None]
    logits = logits + rng.normal(0, 0.4, (num_examples, num_exits, 2))
    depths = tuple(range(1, num_exits + 1))
    labels = logits[:, -1].argmax(-1) ^ (rng.random(num_examples) < 0.1)
    learned = None if eagerness is None else (rng.random((num_examples, num_exits)) < eagerness).astype(float)
    return ExitOutputs(logits, labels, np.arange(num_examples), num_exits, depths, tuple(map(float, depths)), learned)


def test_every_row_is_its_threshold_on_its_split():
    cal, dev, other = (outputs(seed) for seed in range(3))
    frame = risk_frame([RUN], [cal], {"dev": [dev], "dev_mm": [other]}, ENERGY, **ASKED)
    assert list(frame.columns) == list(COLUMNS) and len(frame) == 2 * 3 * 2 * 2
    assert set(frame["num_calibration"]) == {200} and set(frame["exit_rule"]) == {"energy"}
    for row in frame.itertuples():
        scores, loss = cal.exit_scores(ENERGY), losses(cal.predicted, cal.labels, row.loss)
        threshold = calibrate(scores, loss, ENERGY.harder_is, row.level, 0.9, row.procedure)
        split = dev if row.split == "dev" else other
        if threshold is None:
            assert np.isnan(row.threshold) and (row.risk, row.speedup) == (0, 1)
            continue
        assert row.threshold == threshold
        exits = exit_layers(split.exit_scores(ENERGY), threshold, ENERGY.harder_is)
        assert row.risk == losses(split.predicted, split.labels, row.loss)[np.arange(200), exits].mean()
        assert row.low <= row.risk <= row.high
        deployed = targets_frame(RUN, split, row.split, ENERGY, [(np.nan, threshold)]).iloc[0]
        assert (row.speedup, row.speedup_flops, row.score) == pytest.approx(
            (deployed["speedup"], deployed["speedup_flops"], deployed["score"])
        )
    assert frame["threshold"].isna().any() and frame["threshold"].notna().any()


@pytest.mark.parametrize("name", ["geometric", "mean"])
def test_the_risk_is_that_of_the_answers_of_the_rule(name):
    cal, dev, rule = outputs(0), outputs(1), RULES[name]
    frame = risk_frame([RUN], [cal], {"dev": [dev]}, rule, **ASKED | {"levels": [0.1, 0.3]}).dropna(subset="threshold")
    answers = rule.answer(dev.logits).argmax(axis=-1)
    last, is_right = answers[:, -1], answers == dev.labels[:, None]
    assert (answers[:, -1] != dev.predicted[:, -1]).any() and set(frame["loss"]) == {"same", "harm"}
    for row in frame.itertuples():
        exits = exit_layers(dev.exit_scores(rule), row.threshold, rule.harder_is)
        taken = answers[np.arange(200), exits]
        lost = taken != last if row.loss == "same" else is_right[:, -1] & (taken != dev.labels)
        assert (row.risk, row.score) == pytest.approx((lost.mean(), (taken == dev.labels).mean()))


def test_of_several_models_the_fastest_that_is_certified_is_taken():
    models = [outputs(3, eagerness=share) for share in (0.9, 0.0, 0.05)]
    order = by_speed(models, POLICY)
    assert order == [1, 2, 0]
    identities = [RunId("sst2", "bert", "consistentee", 0, f"model-{number}") for number in order]
    ordered = [models[number] for number in order]
    frame = risk_frame(identities, ordered, {"dev": ordered}, POLICY, **ASKED | {"levels": [0.005, 0.1, 0.9]})
    assert set(frame["procedure"]) == {"naive", "ltt"}  # the quantiles are of one model
    ltt = frame[(frame["procedure"] == "ltt") & (frame["loss"] == "same")]
    assert ltt["model"].tolist() == ["model-1", "model-2", "model-0"]
    assert np.isnan(ltt["threshold"].iloc[0]) and not ltt["adjustable"].any()


def test_the_patience_is_chosen_on_the_selection_split():
    selection = outputs(4)
    chosen = deployed_rule(selection, PCEE, "sst2", 2.0)
    assert chosen.family == "pcee" and chosen.thresholds is None
    assert deployed_rule(selection, ENERGY, "sst2", 2.0) is ENERGY
