"""Training methods, one file each: their exits and the loss that they minimize. The training loop knows none by name.

A method is a frozen dataclass of hyper-parameters, a subclass of `cosee.methods.base.Method`, and a line in `METHODS`.
If `cosee.exiting.rules` lacks its exit rule, that rule is `RULE` in the method's module.
"""

from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cosee.errors import InputError
from cosee.exiting.rules import RULES, Rule, member
from cosee.plugins import Registry, reference, subclass_of
from cosee.ranges import check_ranges

if TYPE_CHECKING:
    from cosee.methods.base import Method

_OWN: dict[str, str] = {
    "berxit": "cosee.methods.berxit:Berxit",
    "consistentee": "cosee.methods.consistentee:ConsistentEE",
    "cosee": "cosee.methods.cosee:Cosee",
    "deebert": "cosee.methods.deebert:Deebert",
    "disentangledee": "cosee.methods.disentangledee:DisentangledEE",
    "finetune": "cosee.methods.finetune:Finetune",
    "gamlbert": "cosee.methods.gamlbert:GamlBert",
    "gpfee": "cosee.methods.gpfee:Gpfee",
    "jeidnn": "cosee.methods.jeidnn:JeiDnn",
    "leebert": "cosee.methods.leebert:LeeBert",
    "lynx": "cosee.methods.lynx:Lynx",
    "pabee": "cosee.methods.pabee:Pabee",
    "palbert": "cosee.methods.palbert:Palbert",
    "pondernet": "cosee.methods.pondernet:PonderNet",
}

METHODS: Registry[str] = Registry("method", _OWN, {"cosee.methods": reference})
"""Name in the configuration -> "module:class". A module is imported when its method is first used, because names are
also needed in processes without torch. Installed packages add theirs (`cosee.plugins`)."""


def register(name: str, target: str) -> None:
    """Add a method for the rest of this process; an installed package declares it as an entry point instead.

    Args:
        name: name in configurations.
        target: "module:class", imported when the method is first used.

    Raises:
        InputError: the name is taken, or the target has another form.
    """
    module, _, cls = target.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), cls)):
        raise InputError(f"method {name}: {target!r} names no class; expected module:class.")
    METHODS.add(name, target)


def method_class(name: str) -> "type[Method]":
    """The class of the method `name`.

    Raises:
        InputError: no such method, or the package that adds it cannot be loaded.
    """
    if name not in METHODS:
        raise InputError(f"method: {name!r} is unknown; expected one of {', '.join(METHODS)}.")
    if METHODS.origin(name) is not None:
        base = import_module("cosee.methods.base").Method  # by name: only processes that make a method have torch
        return METHODS.load(name, subclass_of(base))
    module, _, cls = METHODS[name].partition(":")
    return getattr(import_module(module), cls)


def make_method(name: str, settings: Mapping[str, Any]) -> "Method":
    """The method `name` with the given hyper-parameters.

    Raises:
        InputError: no such method, it has no such hyper-parameter, or a value is of another type or out of its range.
    """
    method = method_class(name)
    known = {field.name for field in fields(method)}
    foreign = sorted(set(settings) - known)
    if foreign:
        raise InputError(
            f"method {name}: no hyper-parameter {foreign[0]!r}; expected one of {', '.join(sorted(known)) or 'none'}."
        )
    check_ranges(method, settings, f"method {name}")
    return method(**settings)


def rule_named(name: str) -> Rule:
    """The exit rule of this name: of `RULES`, a member of a family, or what the method of this name brings along.

    Raises:
        InputError: no such exit rule.
    """
    if name in RULES:
        return RULES[name]
    of_family = member(name)
    if of_family is not None:
        return of_family
    if name in METHODS.own:
        module = import_module(METHODS[name].partition(":")[0])
        if hasattr(module, "RULE"):
            return module.RULE
    raise InputError(f"exit rule {name!r} is unknown; expected one of {', '.join(RULES)}.")
