"""Results of risk: where there are calibration examples, and what they are made from."""

from typing import get_args

import pytest

from cosee.errors import InputError
from cosee.evaluation.risk import LOSSES
from cosee.evaluation.risk_procedures import PROCEDURES
from cosee.plan.checks import check
from cosee.plan.configuration import configuration
from cosee.plan.contexts import facts_of_risk
from cosee.plan.jobs import run_files
from cosee.plan.runs import final_runs
from cosee.plan.settings import Loss, Procedure


def test_losses_and_procedures_are_those_that_there_are():
    assert get_args(Loss) == LOSSES and get_args(Procedure) == PROCEDURES


def test_mini_shows_risks(config):
    assert config.tables.risk.tasks and config.figures.risk.variants == ["cosee"]


@pytest.mark.parametrize(("part", "key", "value"), [("protocol", "cal_max", 0), ("protocol", "name", "field")])
def test_without_calibration_examples_they_are_left_out(part, key, value, mini):
    mini[part][key] = value
    config = configuration(mini)
    assert config.tables.risk is None and config.figures.risk is None


def test_null_leaves_them_out(mini):
    mini["risk"] = None
    assert configuration(mini).tables.risk is None


def test_what_is_shown_must_be_asked_for(mini):
    mini["risk"]["shown"]["level"] = 0.03
    with pytest.raises(InputError, match=r"config: risk has `shown` with 0.03, which is not among its `levels`"):
        configuration(mini)


def test_the_figure_shows_one_variant(mini):
    mini["figures"]["risk"]["variants"] = ["cosee", "vanilla"]
    with pytest.raises(
        InputError, match=r"config: figures.risk shows one variant, a line for each procedure; name one"
    ):
        check(configuration(mini))


def test_thresholds_are_certified_with_the_outputs_of_the_checkpoint_of_the_rule(config):
    pabee = next(run for run in final_runs(config) if (run.backbone, run.task, run.name) == ("bert", "mnli", "pabee"))
    kept = {f"{pabee.folder}/logits-{split}@pcee.npz" for split in ("sel", "cal", "dev", "dev_mm")}
    assert kept <= set(run_files(pabee, config))


def test_captions_say_what_is_promised(config):
    assert facts_of_risk(config, shown=True) == (
        "Procedure: ltt. Level: 5 %. Loss: same (the answer differs from that of the last exit). "
        "Confidence of ltt: 90 %."
    )
    assert facts_of_risk(config, shown=False).startswith("Loss: same")
