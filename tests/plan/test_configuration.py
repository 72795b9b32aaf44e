"""A wrong key or value is refused in one sentence; what depends on other keys is filled in."""

import pytest
from helpers.presets import preset, read
from pydantic import ValidationError

from cosee.errors import InputError
from cosee.plan.configuration import configuration


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda c: c["training"].update(learning_rat=1),
            "training.learning_rat is unknown; did you mean learning_rate?",
        ),
        (lambda c: c["jobs"].update(cores=1), "config: jobs.cores is unknown; expected one of minutes, states."),
        (
            lambda c: c["training"].update(learning_rate="2e-5"),
            "config: training.learning_rate is '2e-5'; expected a number. YAML reads it as text: write a number with a "
            "dot and without quotes, as in 2.0e-5.",
        ),
        (lambda c: c["training"].update(learning_rate=0.0), "learning_rate is 0.0; expected a number above 0."),
        (lambda c: c["training"].update(epochs=True), "config: training.epochs is True; expected a whole number."),
        (lambda c: c["training"].update(learning_rate=float("inf")), "learning_rate is inf; expected a finite number."),
        (lambda c: c["grid"].update(learning_rate=[float("nan")]), "grid.learning_rate[0] is nan; expected a number"),
        (lambda c: c.update(preset="mini\n"), "config: preset is 'mini\\n'; expected a text that matches"),
        (lambda c: c.update(seeds=[1.0]), "config: seeds[0] is 1.0; expected a whole number."),
        (lambda c: c["training"].update(warmup=1.5), "config: training.warmup is 1.5; expected 1 or less."),
        (lambda c: c.update(signals=["margin"]), "signals[0] is 'margin'; expected one of energy, entropy, softmax."),
        (lambda c: c.update(seeds=[]), "config: seeds is []; expected at least 1 entry."),
        (lambda c: c.update(seeds=[1, 2, 1]), "config: seeds lists 1 twice."),
        (lambda c: c.update(seeds=3), "config: seeds is 3; expected a list."),
        (lambda c: c.update(experiments={}), "config: experiments is {}; expected a list."),
        (lambda c: c["experiments"][1].update(tasks=["cola"]), "config: experiments[1].tasks[0] is 'cola'; expected"),
        (lambda c: c["experiments"][0].pop("variants"), "config: experiments[0].variants is missing."),
        (lambda c: c["variants"]["pabee"].pop("label"), "config: variants.pabee.label is missing."),
        (
            lambda c: c["variants"]["pabee"].update(fixed={"alpha": [1]}),
            "pabee.fixed.alpha is [1]; expected a number, ",
        ),
        (lambda c: c["variants"]["pabee"].update(tune=["learning_rate"], tuned_as="vanilla"), "both `tune` and `tuned"),
        (lambda c: c["variants"].update({"My-own": c["variants"]["pabee"]}), "a text that matches ^[a-z0-9_]+$."),
        (lambda c: c["grid"].update(learning_rate=["fast"]), "config: grid.learning_rate[0] is 'fast'; expected a n"),
        (lambda c: c["tables"].update(table4={"label": "x", "encoder": {}}), "tables.table4 needs `model_type`."),
        (lambda c: c["data"].pop("generated"), "config: data has `source: generated` and needs `generated`."),
        (lambda c: c["backbones"]["bert"].update(source="hub"), "needs `repository` and `revision`."),
        (lambda c: c["backbones"]["bert"].update(dropout=0.1), "backbones.bert was pre-trained without dropout"),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(mini, change, sentence):
    change(mini)
    with pytest.raises(InputError) as caught:
        configuration(mini)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("config: ") and str(caught.value).endswith((".", "?"))
    assert "\n" not in str(caught.value)


def test_what_is_not_said_follows_from_other_keys(mini):
    mini["tables"]["methods"] = {}
    mini["experiments"] = [{"variants": ["cosee"]}]
    config = configuration(mini)
    assert (config.tables.methods.backbone, config.tables.methods.signal) == ("bert", "energy")
    assert len(config.tables.methods.tasks) == len(config.experiments[0].tasks) == 6
    assert config.experiments[0].signals == ["energy"] and config.latency.backbone == "bert"


def test_search_of_a_variant_is_its_own_or_that_of_all(mini):
    mini |= {"tune": ["learning_rate"], "tuned_as": "vanilla"}
    variants = configuration(mini).variants
    assert variants["vanilla"].tune == ["learning_rate"] and variants["vanilla"].tuned_as is None
    assert variants["cosee"].tuned_as == "vanilla" and variants["cosee"].tune == []
    assert variants["pcee"].tuned_as is None  # no training
    mini["tuned_as"] = None
    assert configuration(mini).variants["cosee"].tune == ["learning_rate"]
    mini["variants"]["cosee"]["tune"] = []
    assert configuration(mini).variants["cosee"].tune == []


def test_without_a_grid_nothing_is_tuned():
    config = preset("glue-small", "glue-small-cpu")
    assert config.grid is None and not any(variant.tune for variant in config.variants.values())
    assert any(variant.tune for variant in preset("glue-small").variants.values())


def test_null_removes_a_variant_and_leaves_out_a_figure(mini):
    mini["variants"]["leebert"] = mini["figures"]["fig8"] = None
    config = configuration(mini)
    assert "leebert" not in config.variants and "fig8" not in config.figures.shown
    assert "leebert" in read("config")["variants"]


@pytest.mark.parametrize("files", [("config",), ("glue-small", "glue-small-cpu"), ("paper",)])
def test_a_printed_configuration_is_read_as_the_same(files):
    config = preset(*files)
    assert configuration(config.as_mapping()) == config


def test_a_configuration_cannot_be_changed(config):
    with pytest.raises(ValidationError, match="frozen"):
        config.seeds = [3]


def test_whole_numbers_of_a_grid_stay_whole(mini):
    mini["grid"]["batch_size"] = [16, 32]
    assert [str(value) for value in configuration(mini).grid["batch_size"]] == ["16", "32"]


@pytest.mark.parametrize("change", [{"data_dir": "glue"}, {"data": {"source": "hub"}}, {"grammar": "graded"}])
def test_what_shows_steps_is_left_out_where_they_are_unknown(mini, change):
    assert configuration(mini).tables.steps and configuration(mini).figures.steps
    mini["data"]["generated"] |= change if "grammar" in change else {}
    mini["data"] |= change.get("data", {})
    mini["data_dir"] = change.get("data_dir")
    config = configuration(mini)
    assert config.tables.steps is None and config.figures.steps is None
