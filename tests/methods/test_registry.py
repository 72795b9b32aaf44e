import re
from dataclasses import fields
from pathlib import Path

import pytest
import torch
import yaml
from helpers.presets import preset
from helpers.tiny import LAYERS

import cosee.methods
from cosee.errors import InputError
from cosee.exiting.rules import RULES
from cosee.methods import METHODS, make_method, method_class, register
from cosee.methods.base import Method
from cosee.methods.cosee import Cosee
from cosee.methods.finetune import Finetune
from cosee.models.loading import load_backbone
from cosee.plugins import Registry


def test_methods_are_found_by_name():
    assert method_class("finetune") is Finetune and method_class("cosee") is Cosee
    assert make_method("cosee", {"alpha": 1.0, "signal": "entropy"}) == Cosee(alpha=1.0, signal="entropy")
    assert make_method("finetune", {}) == Finetune(depth=None)


def test_every_file_is_a_method_of_its_name():
    files = {path.stem for path in Path(cosee.methods.__file__).parent.glob("*.py")} - {"__init__", "base"}
    assert files == set(METHODS) and list(METHODS) == sorted(METHODS)
    for name in METHODS:
        assert issubclass(method_class(name), Method) and method_class(name).__module__ == f"cosee.methods.{name}"


def test_a_registered_method_is_one_like_the_others(monkeypatch):
    monkeypatch.setattr(cosee.methods, "METHODS", Registry("method", METHODS.own, {}))
    register("plain", "cosee.methods.finetune:Finetune")
    register("plain", "cosee.methods.finetune:Finetune")  # as where two modules ask for it
    assert make_method("plain", {"depth": 2}) == Finetune(depth=2)
    assert "plain" not in METHODS  # only the copy has it


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(InputError, match=r"^method cosee: the name is taken by cosee\.methods\.cosee:Cosee;"):
        register("cosee", "elsewhere:Cosee")
    assert method_class("cosee") is Cosee


@pytest.mark.parametrize("target", ["elsewhere", "elsewhere:", ":Own", "else where:Own", "elsewhere:Own:more", ""])
def test_a_target_that_names_no_class_is_refused(target):
    with pytest.raises(InputError, match=r"^method own: .* names no class; expected module:class\.$"):
        register("own", target)
    assert "own" not in METHODS


def test_unknown_methods_and_hyper_parameters_are_named():
    with pytest.raises(InputError, match=r"'coseee' is unknown; expected one of .*cosee, .*finetune"):
        make_method("coseee", {})
    with pytest.raises(InputError, match=r"method cosee: no hyper-parameter 'beta'; expected one of alpha, beta0"):
        make_method("cosee", {"alpha": 0.1, "beta": 1.0})


def test_a_choice_that_a_method_does_not_have_is_refused():
    with pytest.raises(InputError, match=r"method deebert: pooler must be own or shared, got 'none'"):
        make_method("deebert", {"pooler": "none"})


@pytest.mark.parametrize(("name", "exits"), [("finetune", (LAYERS,)), ("cosee", tuple(range(1, LAYERS + 1)))])
def test_fresh_models_depend_on_the_seed_alone(name, exits, tiny_bert):
    method = make_method(name, {})
    first, again, other = (method.build(load_backbone(tiny_bert), 3, seed) for seed in (1, 1, 2))
    assert first.exit_depths == exits and first.exits.weight.shape == (len(exits), 3, 16)
    assert torch.equal(first.exits.weight, again.exits.weight)
    assert not torch.equal(first.exits.weight, other.exits.weight)
    states = [model.backbone.state_dict() for model in (first, other)]
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


def test_variants_with_a_rule_of_their_own_name_that_of_their_method():
    variants = preset("glue-small").variants.values()
    own = [variant for variant in variants if variant.exits_by_own_rule and not variant.reuses_models]
    assert len(own) == 14
    for variant in own:
        assert make_method(variant.method, variant.fixed).exit_rule() == variant.rule
    assert all(make_method(name, {}).exit_rule() in RULES for name in METHODS)


def test_the_readme_of_the_configuration_lists_every_hyper_parameter_with_its_default():
    readme = (Path(__file__).parents[2] / "config" / "README.md").read_text()
    for name in METHODS:
        (line,) = re.findall(rf"^\| `{name}` \| (.*) \|$", readme, re.MULTILINE)
        listed = dict(re.findall(r"`(\w+)` \(([^)]*)\)", line))
        defaults = {field.name: field.default for field in fields(method_class(name))}
        assert listed.keys() == defaults.keys()
        for key, default in defaults.items():
            expected = pytest.approx(default, rel=1e-2) if isinstance(default, float) else default
            assert yaml.safe_load(listed[key]) == expected, (name, key)
