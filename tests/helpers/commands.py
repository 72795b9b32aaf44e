"""Command lines of the help texts."""

import shlex
from importlib import import_module
from typing import NamedTuple

from cosee.cli import COMMANDS


class Result(NamedTuple):
    code: int
    out: str
    err: str = ""


def examples(but=()):
    """The examples of all commands but some, in the order in which a model passes through them."""
    return [example for name in COMMANDS if name not in but for example in import_module(f"cosee.cli.{name}").EXAMPLES]


def arguments_of(example):
    """The words after `cosee` in a shell line, up to where the shell takes over."""
    words = shlex.split(example.replace("\\\n", " "))
    words = words[words.index("cosee") + 1 :]
    return words[: next((i for i, word in enumerate(words) if word in (">", "|")), None)]
