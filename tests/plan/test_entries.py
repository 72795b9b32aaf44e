"""Derived attributes of variants."""

import pytest


@pytest.mark.parametrize(
    ("name", "facts"),  # static, own rule, reuses models, has a threshold, a model per signal
    [
        ("half", (True, False, False, False, False)),
        ("k_layers", (True, False, False, False, False)),
        ("pabee", (False, True, False, True, False)),
        ("pcee", (False, True, True, True, False)),
        ("consistentee", (False, True, False, False, False)),
        ("vanilla", (False, False, False, True, False)),
        ("cosee", (False, False, False, True, True)),
    ],
)
def test_a_variant_knows_what_it_is(config, name, facts):
    variant = config.variants[name]
    assert facts == (
        variant.is_static,
        variant.exits_by_own_rule,
        variant.reuses_models,
        variant.has_threshold,
        variant.has_model_per_signal,
    )


def test_a_rule_of_its_own_goes_before_the_signal(config):
    assert config.variants["pabee"].rule_for("energy") == "patience"
    assert config.variants["cosee"].rule_for("entropy") == "entropy"


def test_only_figure_7_shows_training_examples(config):
    assert [name for name, spec in config.figures.shown.items() if spec.shows_fit] == ["fig7"]
