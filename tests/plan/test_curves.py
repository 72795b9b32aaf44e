"""Evaluated and shown curves follow from the configuration only."""

import pytest

from cosee.errors import InputError
from cosee.plan import curves

COSEE = ["vanilla", "wo_osc", "wo_swm", "cosee"]


def variants_of(found):
    return {curve.variant for curve in found}


def test_curves_of_a_signal_are_those_of_its_models_and_of_models_that_know_none(config):
    energy = curves.curves(config, "sst2", "energy")
    assert variants_of(energy) == {"backbone", "half", "k_layers", *COSEE}
    assert {(curve.rule, len(curve.runs)) for curve in energy} == {("energy", 1)}
    names = {run.name for curve in curves.curves(config, "sst2", "entropy") for run in curve.runs}
    assert "cosee-entropy" in names and "vanilla" in names and "cosee-energy" not in names
    assert {curve.backbone for curve in energy} == {"bert", "albert"}


def test_methods_with_rules_of_their_own_are_a_set_apart(config):
    own = [curve for curve in curves.curves(config, "sst2", curves.RULE) if curve.backbone == "bert"]
    rules = {curve.variant: curve.rule for curve in own}
    assert rules["pabee"] == "patience" and rules["pcee"] == "pcee" and rules["deebert"] == "entropy"
    assert not rules.keys() & {"k_layers", *COSEE}
    runs = {curve.variant: curve.runs for curve in own}
    assert runs["pabee"] == runs["pcee"] == runs["fpabee"]  # one model, three rules
    albert = variants_of(c for c in curves.curves(config, "sst2", curves.RULE) if c.backbone == "albert")
    assert albert == {"pabee", "palbert", "disentangledee"}  # rules on models are evaluated where they are asked for


def test_the_models_of_a_method_without_a_knob_are_one_curve(config):
    (curve,) = [c for c in curves.curves(config, "rte", curves.RULE) if c.variant == "consistentee"]
    assert [run.name for run in curve.runs] == [f"consistentee-alpha-{alpha}" for alpha in (0.0, 0.003, 0.01, 0.03)]
    assert [run.settings["alpha"] for run in curve.runs] == [0.0, 0.003, 0.01, 0.03]


def test_of_several_models_the_one_with_the_fixed_hyper_parameters_is_reused(config):
    own = curves.curves(config, "rte", curves.RULE)
    (joint,), (swept,) = ([c for c in own if c.variant == name] for name in ("jeidnn_joint", "jeidnn_swept"))
    assert [run.settings["cost_weight"] for run in joint.runs] == [0.01, 0.1]
    assert swept.runs == joint.runs[1:] and (joint.rule, swept.rule) == ("jeidnn", "gate")
    assert [run.other_rules for run in joint.runs] == [(), ("gate",)]
    assert (
        swept.runs[0]
        .outputs_file("dev", "gate")
        .endswith("jeidnn_joint-cost_weight-0.1/final/seed0/logits-dev@gate.npz")
    )


def test_a_task_without_runs_for_a_signal_is_refused(config):
    with pytest.raises(InputError, match="task rte with signal softmax"):
        curves.curves(config, "rte", "softmax")


def test_results_exist_for_the_signals_that_are_asked_for(config):
    assert curves.signals_of(config, "sst2") == ["energy", "entropy", "softmax", "rule"]
    assert curves.signals_of(config, "rte") == ["energy", "rule"]
