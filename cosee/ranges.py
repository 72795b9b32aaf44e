"""Types and ranges of settings, declared with the setting: `dropout: Fraction = 0.1`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from cosee.errors import InputError


@dataclass(frozen=True)
class Range:
    """The condition that a number must meet, in words and as a test."""

    words: str
    holds: Callable[[float], bool]


def _whole(value: float) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


PositiveFloat = Annotated[float, Range("above 0", lambda value: value > 0)]
NonNegativeFloat = Annotated[float, Range("0 or more", lambda value: value >= 0)]
Fraction = Annotated[float, Range("from 0 to 1", lambda value: 0 <= value <= 1)]
FractionBelowOne = Annotated[float, Range("from 0 to below 1", lambda value: 0 <= value < 1)]
OpenFraction = Annotated[float, Range("above 0 and below 1", lambda value: 0 < value < 1)]
PositiveInt = Annotated[int, Range("a whole number above 0", lambda value: _whole(value) and value > 0)]
IntAboveOne = Annotated[int, Range("a whole number above 1", lambda value: _whole(value) and value > 1)]
NonNegativeInt = Annotated[int, Range("a whole number, not negative", lambda value: _whole(value) and value >= 0)]


def check_ranges(kind: type, settings: Mapping[str, Any], where: str) -> None:
    """Check settings against the types and ranges that the fields of a dataclass declare.

    Args:
        kind: the dataclass.
        settings: values by name of the field.
        where: owner of the settings, for errors.

    Raises:
        InputError: a value is of another type, is no finite number, or lies outside its range.
    """
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if name not in settings:
            continue
        value, limits = settings[name], None
        if get_origin(hint) is Annotated:
            hint, limits = get_args(hint)[:2]
        words = limits.words if limits is not None else _expected(hint)
        if not (_has_type(value, hint) and (limits is None or limits.holds(value))):
            raise InputError(f"{where}: {name} must be {words}, got {value!r}.")


def _expected(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(map(str, get_args(hint)))
    if isinstance(hint, UnionType):
        return " or ".join(_expected(part) for part in get_args(hint))
    return {
        bool: "true or false",
        int: "a whole number",
        float: "a finite number",
        str: "a text",
        NoneType: "None",
    }.get(hint, str(hint))


def _has_type(value: Any, hint: Any) -> bool:
    """Whether a value is of a declared type: whole numbers are numbers, true and false are not."""
    if get_origin(hint) is Literal:
        return any(value == choice and type(value) is type(choice) for choice in get_args(hint))
    if isinstance(hint, UnionType):
        return any(_has_type(value, part) for part in get_args(hint))
    if hint is NoneType:
        return value is None
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return not isinstance(hint, type) or isinstance(value, hint)
