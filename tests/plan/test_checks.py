"""A configuration whose parts do not fit together is refused with the place named."""

import pytest
from helpers.presets import preset

from cosee.errors import InputError
from cosee.evaluation.frames import CONTROLS
from cosee.plan import checks
from cosee.plan.checks import check, check_settings
from cosee.plan.configuration import configuration
from cosee.plan.runs import final_runs


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c["experiments"][0].update(backbone="roberta"), "backbone names 'roberta'"),
        (lambda c: c["experiments"][0]["variants"].append("unheard"), "variants names 'unheard'"),
        (lambda c: c["variants"]["cosee"].update(tune=["gamma"]), "cosee.tune names 'gamma'"),
        (lambda c: c["variants"]["vanilla"]["fixed"].update(learning_rate=1.0), "both fixes and tunes 'learning_rate'"),
        (lambda c: c["variants"]["k_layers"].update(tuned_as="nothing"), "tuned_as"),
        (lambda c: c["experiments"][4]["variants"].remove("vanilla"), "takes the grid point of vanilla"),
        (lambda c: c.update(reference_variant="nothing"), "reference_variant names 'nothing'"),
        (lambda c: c["variants"].update(oracle=c["variants"]["cosee"]), "variants.oracle: the names static, random"),
        (lambda c: c["variants"]["cosee"].update(method="cosy"), "method names 'cosy'"),
        (lambda c: c["protocol"].update(table_target=2.5), "table_target"),
        (lambda c: c["figures"]["fig4"].update(variants=["nothing"]), "figures.fig4"),
        (lambda c: c["figures"]["fig1"].update(thresholds=[1.4]), "threshold 1.4"),
        (lambda c: c["figures"]["fig1"].pop("thresholds"), "needs `thresholds`"),
        (lambda c: c["figures"]["fig4"].update(backbone="nope"), "names 'nope'"),
        (lambda c: c["figures"]["fig8"].update(tasks=["rte"]), "trains none"),
        (lambda c: c["figures"]["fig7"].update(tasks=["sst2", "qnli"]), "one variant on one task"),
        (lambda c: c["tables"]["table2"].update(backbone="nope"), "names 'nope'"),
        (lambda c: c["tables"]["methods"].update(tasks=["cola"]), "tables.methods.tasks.0. is .cola."),
        (lambda c: c.update(reference_variant="half"), "tables.differences compares, names 'half'"),
        (lambda c: c["figures"]["fig7"].pop("variants"), "one variant on one task"),
        (lambda c: c["protocol"].update(targets=[2.0, 50.0]), "asks for 50"),
        (lambda c: c["variants"]["pabee"].update(rule="impatience"), "exit rule 'impatience' is unknown"),
        (lambda c: c["variants"]["consistentee"].pop("rule"), "consistentee needs a `rule`"),
        (lambda c: c["variants"]["pcee"].update(models_from="nothing"), "pcee.models_from names 'nothing'"),
        (
            lambda c: c["variants"]["jeidnn_swept"]["fixed"].update(cost_weight=0.2),
            "jeidnn_swept.fixed: no model of jeidnn_joint has cost_weight 0.2",
        ),
        (
            lambda c: c["variants"]["jeidnn_swept"].pop("fixed"),
            "jeidnn_swept sweeps the threshold of one model, and jeidnn_joint has one per value of cost_weight",
        ),
        (lambda c: c["latency"].update(backbone="nope"), "latency.backbone names 'nope'"),
        (lambda c: c["latency"].update(variant="half"), "latency.variant has no threshold"),
        (lambda c: c["latency"].update(variant="pabee", backbone="albert", task="rte"), "pabee on rte .albert., which"),
        (lambda c: c["latency"].update(targets=[2.0, 13.0]), "latency.targets asks for 13"),
        (
            lambda c: c.update(experiments=[c["experiments"][0], {"tasks": ["rte"], "variants": ["backbone"]}]),
            "only static models on rte with the signal energy",
        ),
        (lambda c: c["variants"]["vanilla"].update(seeds=[5]), "takes the grid point of vanilla"),
        (
            lambda c: c["variants"]["cosee"].update(tuned_as="pabee"),
            "cosee.tuned_as names pabee, which has no search of its own but takes the grid point of vanilla",
        ),
        (lambda c: c["variants"]["cosee"].update(tuned_as="cosee"), "cosee.tuned_as names cosee, which has no search"),
        (
            lambda c: c["variants"]["cosee"].update(rule="patience", models_from="pcee"),
            "cosee.models_from names pcee, which trains nothing but has the models of",
        ),
        (
            lambda c: c["variants"]["pcee"].update(models_from="half"),
            "pcee.models_from names half, whose models have one exit only",
        ),
        (
            lambda c: c["variants"]["cosee"].update(rule="patience", models_from="leebert", fixed={}),
            "cosee reads the models of leebert, which no entry trains on",
        ),
        (lambda c: c["variants"]["cosee"].update(seeds=[5]), "figures.fig. shows variants that .* no seed in common"),
        (lambda c: c.update(tune=["gamma"]), "config: tune names 'gamma'"),
        (lambda c: c["variants"]["pabee"].update(rule="haste"), "config: variants.pabee: exit rule 'haste'"),
        (lambda c: c["variants"].update(random=c["variants"]["cosee"]), "variants.random: the names static, random"),
    ],
)
def test_parts_that_do_not_fit_together_are_named(mini, change, sentence):
    check(configuration(mini))
    change(mini)
    with pytest.raises(InputError, match=sentence):
        check(configuration(mini))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c["variants"]["cosee"]["fixed"].update(alfa=1), "method cosee: no hyper-parameter 'alfa'"),
        (lambda c: c["variants"]["vanilla"]["fixed"].update(beta0=-1.0), "method cosee: beta0 must be 0 or more"),
        (lambda c: c["grid"].update(learning_rate=[-1.0]), "learning_rate must be"),  # an axis of one value
        (lambda c: c["training"].update(accumulation=5), "cannot be split into 5 passes"),
        (
            lambda c: c["variants"]["berxit_lte"]["fixed"].update(lte=False),
            "berxit_lte: learns no scores, .* uncertainty",
        ),
        (lambda c: c["variants"]["pcee"].update(rule="policy"), "variants.pcee: learns no scores, .* policy reads"),
    ],
)
def test_settings_are_checked_with_the_methods(mini, change, sentence):
    check_settings(configuration(mini))
    change(mini)
    with pytest.raises(InputError, match=sentence):
        check_settings(configuration(mini))


def test_the_refused_names_are_those_of_the_controls():
    assert set(checks.CONTROLS) == set(CONTROLS)


@pytest.mark.parametrize(
    "files",
    [
        *(("config",), ("glue-small",), ("glue-small", "glue-small-cpu"), ("bert-base",), ("paper",)),
        *(("roberta-base",), ("modernbert",), ("decoders",)),
    ],
)
def test_presets_fit_together(files):
    config = preset(*files)
    check(config)
    check_settings(config)
    assert final_runs(config)


@pytest.mark.parametrize("file", ["../tests/workflow/reduced", "../tests/cluster/long"])
def test_the_cuts_of_the_mini_preset_that_slow_tests_use_fit_together(file):
    check(preset("config", file))


def test_an_encoder_of_the_table_that_lacks_a_task_is_named(mini):
    mini["tables"]["encoders"] = {"backbones": ["bert", "albert"], "tasks": ["sst2", "rte"]}
    with pytest.raises(InputError, match=r"tables\.encoders .* albert is not trained on rte"):
        check(configuration(mini))
    mini["tables"]["encoders"] = {"backbones": ["bert", "albertine"], "tasks": ["sst2"]}
    with pytest.raises(InputError, match=r"tables\.encoders: backbone names 'albertine'"):
        check(configuration(mini))


def test_settings_of_a_single_task_are_checked_too(mini):
    mini["variants"]["cosee"]["fixed_by_task"] = {"mnli": {"alpha": "a"}}
    with pytest.raises(InputError, match=r"variants\.cosee: method cosee: alpha must be 0 or more, got 'a'"):
        check_settings(configuration(mini))
