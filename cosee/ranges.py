"""Ranges of numbers, declared with the setting: `dropout: Fraction = 0.1`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

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
    """Check settings against the ranges that the fields of a dataclass declare.

    Args:
        kind: the dataclass.
        settings: values by name of the field; values that are not numbers are not checked.
        where: owner of the settings, for errors.

    Raises:
        InputError: a number lies outside its range.
    """
    for name, hint in get_type_hints(kind, include_extras=True).items():
        limits = get_args(hint)[1] if get_origin(hint) is Annotated else None
        value = settings.get(name)
        if limits is not None and isinstance(value, int | float) and not limits.holds(value):
            raise InputError(f"{where}: {name} must be {limits.words}, got {value}.")
