"""Training methods, one file each: what their exits are and what is minimised. The loop knows none by name.

`METHODS` lists them. The class of a method is a frozen dataclass of its hyper-parameters (see `cosee.methods.base`).
Its module also holds, as `RULE`, the exit rule of a method that exits by one that `cosee.exiting.rules` lacks.
"""

from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from cosee.errors import InputError
from cosee.exiting.rules import RULES, Rule
from cosee.ranges import check_ranges

if TYPE_CHECKING:
    from cosee.methods.base import Method

METHODS = {
    "berxit": "cosee.methods.berxit:Berxit",
    "consistentee": "cosee.methods.consistentee:ConsistentEE",
    "cosee": "cosee.methods.cosee:Cosee",
    "deebert": "cosee.methods.deebert:Deebert",
    "disentangledee": "cosee.methods.disentangledee:DisentangledEE",
    "finetune": "cosee.methods.finetune:Finetune",
    "gamlbert": "cosee.methods.gamlbert:GamlBert",
    "gpfee": "cosee.methods.gpfee:Gpfee",
    "leebert": "cosee.methods.leebert:LeeBert",
    "pabee": "cosee.methods.pabee:Pabee",
    "palbert": "cosee.methods.palbert:Palbert",
    "pondernet": "cosee.methods.pondernet:PonderNet",
}
"""Name of a method in the configuration -> "module:Class".

Text rather than classes, because names are also needed where torch is not: a method's module is imported when the
method is asked for.
"""


def register(name: str, target: str) -> None:
    """Add a method of another package under a name of its own, for the rest of this process.

    Args:
        name: as configurations call it.
        target: "module:Class", to be imported when the method is first asked for.

    Raises:
        InputError: the name is taken, or the target has another form.
    """
    module, _, class_name = target.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), class_name)):
        raise InputError(f"method {name}: {target!r} names no class; expected module:Class.")
    if METHODS.get(name, target) != target:
        raise InputError(f"method {name}: the name is taken by {METHODS[name]}; choose another.")
    METHODS[name] = target


def method_class(name: str) -> type["Method"]:
    """The class of a method.

    Raises:
        InputError: no such method.
    """
    if name not in METHODS:
        raise InputError(f"method: {name!r} is unknown; expected one of {', '.join(METHODS)}.")
    class_name = METHODS[name].partition(":")[2]
    return getattr(_module(name), class_name)


def _module(name: str) -> ModuleType:
    return import_module(METHODS[name].partition(":")[0])


def make_method(name: str, settings: Mapping[str, Any]) -> "Method":
    """The method `name` with the given hyper-parameters.

    Raises:
        InputError: no such method, it has no such hyper-parameter, or a value is out of its range.
    """
    method = method_class(name)
    known = {field.name for field in fields(method)}
    foreign = sorted(set(settings) - known)
    if foreign:
        raise InputError(
            f"method {name}: no hyper-parameter {foreign[0]!r}; expected one of {', '.join(sorted(known)) or 'none'}."
        )
    for key, kind in get_type_hints(method).items():
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        if choices and key in settings and settings[key] not in choices:
            raise InputError(f"method {name}: {key} must be {' or '.join(choices)}, got {settings[key]!r}.")
    check_ranges(method, settings, f"method {name}")
    return method(**settings)


def rule_named(name: str) -> Rule:
    """The exit rule of this name: one of `RULES`, or the one that the method of this name brings along.

    Raises:
        InputError: there is none.
    """
    if name in RULES:
        return RULES[name]
    if name in METHODS:
        module = _module(name)
        if hasattr(module, "RULE"):
            return module.RULE
    raise InputError(f"exit rule {name!r} is unknown; expected one of {', '.join(RULES)}.")
