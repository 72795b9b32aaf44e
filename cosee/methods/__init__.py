"""Training methods, one file each: what their exits are and what is minimised. The loop knows none by name.

A file `cosee/methods/<name>.py` makes the method `<name>` of configurations. It holds one subclass of `Method`, a
frozen dataclass of hyper-parameters (see `cosee.methods.base`), and, if the method exits by a rule that
`cosee.exiting.rules` lacks, that rule as `RULE`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from cosee.errors import InputError
from cosee.exiting.rules import RULES, Rule, member
from cosee.ranges import check_ranges

if TYPE_CHECKING:  # the names of methods are also needed where torch is not
    from cosee.methods.base import Method


class _Methods(Mapping[str, Callable[..., "Method"]]):
    """Methods by name, each imported when it is first asked for."""

    def __getitem__(self, name: str) -> Callable[..., "Method"]:
        if name not in self:
            raise KeyError(name)
        from cosee.methods.base import Method

        module = import_module(f"{__name__}.{name}")
        own = [value for value in vars(module).values() if getattr(value, "__module__", None) == module.__name__]
        (method,) = [value for value in own if isinstance(value, type) and issubclass(value, Method)]
        return method

    def __contains__(self, name: object) -> bool:
        return name in list(self)  # without importing it

    def __iter__(self) -> Iterator[str]:
        return (module.name for module in iter_modules(__path__) if module.name != "base")

    def __len__(self) -> int:
        return len(list(iter(self)))


METHODS: Mapping[str, Callable[..., "Method"]] = _Methods()
"""The methods by their name in the configuration."""


def make_method(name: str, settings: Mapping[str, Any]) -> "Method":
    """The method `name` with the given hyper-parameters.

    Raises:
        InputError: no such method, it has no such hyper-parameter, or a value is out of its range.
    """
    if name not in METHODS:
        raise InputError(f"method: {name!r} is unknown; expected one of {', '.join(METHODS)}.")
    method = METHODS[name]
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
    """The exit rule of this name: of `RULES`, a member of a family, or what the method of this name brings along.

    Raises:
        InputError: there is none.
    """
    if name in RULES:
        return RULES[name]
    of_family = member(name)
    if of_family is not None:
        return of_family
    if name in METHODS:
        module = import_module(f"cosee.methods.{name}")
        if hasattr(module, "RULE"):
            return module.RULE
    raise InputError(f"exit rule {name!r} is unknown; expected one of {', '.join(RULES)}.")
