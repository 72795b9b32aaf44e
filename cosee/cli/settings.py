"""Arguments that become settings: `--set alpha=0.1`, read according to the type of the dataclass field."""

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from math import inf, nan
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from cosee.errors import InputError

TARGETS = (1.5, 2.0, 3.0, 4.0)
"""Default target speed-ups: those of `cosee.evaluation.point_frames`, whose import takes seconds."""


def assignment(text: str) -> tuple[str, str]:
    """Split NAME=VALUE, for argparse."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text!r}")
    return name, value


LARGEST = 10**9
"""Largest count that an argument may ask for."""


def positive(text: str) -> int:
    """A whole number above 0, for argparse."""
    shown = text if len(text) <= 40 else text[:40] + "…"
    if not (text.isascii() and text.isdecimal() and text.strip("0")):
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {shown!r}")
    if len(text) > 100 or int(text) > LARGEST:
        raise argparse.ArgumentTypeError(f"expected a whole number up to {LARGEST:,}, got {shown!r}")
    return int(text)


def whole(text: str) -> int:
    """A whole number, 0 or more, for argparse."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise argparse.ArgumentTypeError(f"expected a whole number, not negative, got {text[:40]!r}")
    return int(text)


def positive_number(text: str) -> float:
    """A finite number above 0, for argparse."""
    return _number(text, lambda value: 0 < value < inf, "a number above 0")


def speedup(text: str) -> float:
    """A finite number from 1 on, for argparse."""
    return _number(text, lambda value: 1 <= value < inf, "a number from 1 on")


def share(text: str) -> float:
    """A number between 0 and 1, for argparse."""
    return _number(text, lambda value: 0 < value < 1, "a number between 0 and 1")


def _number(text: str, fits: Callable[[float], bool], expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = nan
    if not fits(value):
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
    return value


def add_speedups(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Declare `--speedups`, by default `TARGETS`; `meaning` is the help text without the default."""
    default = " ".join(f"{target:g}" for target in TARGETS)
    parser.add_argument(
        "--speedups", type=speedup, nargs="+", default=TARGETS, metavar="X", help=f"{meaning} (default: {default})"
    )


def read_settings(kind: type, assignments: Iterable[tuple[str, str]], option: str) -> dict[str, Any]:
    """Settings by name, each with the type of the field of that name.

    Args:
        kind: dataclass of the settings.
        assignments: names and texts of values; the last one of a repeated name counts.
        option: the option on the command line, for errors.

    Raises:
        InputError: there is no such field, or the text is not a value of its type.
    """
    hints = get_type_hints(kind)
    known = [field.name for field in fields(kind)]
    settings = {}
    for name, text in assignments:
        if name not in known:
            raise InputError(f"{option} {name}={text}: no such setting; expected one of {', '.join(known)}.")
        expected, read = _reader(hints[name])
        try:
            settings[name] = read(text)
        except (KeyError, ValueError) as error:
            raise InputError(f"{option} {name}={text}: expected {expected}.") from error
    return settings


def _reader(kind: Any) -> tuple[str, Callable[[str], Any]]:
    """Description of a type, and the function that reads its text."""
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        return " or ".join(choices), {choice: choice for choice in choices}.__getitem__
    first = next(iter(get_args(kind)), kind)  # of "int | None" the int: None means that the option is not given
    return _READERS[first]


def _not_negative(text: str) -> float:
    value = float(text)
    if not 0 <= value < inf:
        raise ValueError(text)
    return value


_READERS: Mapping[type, tuple[str, Callable[[str], Any]]] = MappingProxyType(
    {
        bool: ("true or false", {"true": True, "false": False}.__getitem__),
        int: ("a whole number, not negative", lambda text: int(_not_negative(str(int(text))))),
        float: ("a number, not negative", _not_negative),
        str: ("a text", str),
    }
)
