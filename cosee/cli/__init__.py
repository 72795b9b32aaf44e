"""The command `cosee`: one module per command, with heavy imports deferred until it runs, so that help is immediate.

A command's module has `HELP`, `EXAMPLES`, `add_arguments(parser)` and `run(args)`. Results are computed by the same
functions as in the workflow's scripts; this package handles arguments, messages and exit codes: 0; 2 for wrong input;
130 after Ctrl-C; 141 if the reader of a pipe has closed it.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

from cosee import __version__
from cosee.errors import InputError

COMMANDS = (
    *("train", "predict", "sweep", "submit", "publish", "compare", "explore", "replicate", "export", "classify"),
    *("bench", "claims", "config"),
)
"""The commands, in the usual order of use; each is a module of this package."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (None: that of the process) and return its exit code."""
    try:
        parser = make_parser()
    except InputError as error:  # of a package that adds methods or tasks
        print(f"cosee: error: {error}", file=sys.stderr)
        return 2
    args = parser.parse_args(arguments)
    logging.basicConfig(format="%(message)s")
    logging.getLogger("cosee").setLevel(logging.INFO)
    try:
        args.run(args)
        if sys.stdout is not None:
            sys.stdout.flush()  # a closed pipe must show here, not when the interpreter ends
    except InputError as error:
        return _refuse(args.command, str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
        return 128 + signal.SIGPIPE
    except OSError as error:  # a file that cannot be read or written
        file = error.filename2 or error.filename  # of two files the second is the one that was requested
        return _refuse(args.command, f"{file}: {error.strerror}" if file else str(error))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    modules = {name: import_module(f"{__name__}.{name}") for name in COMMANDS}
    parser = argparse.ArgumentParser(
        "cosee",
        **_help(
            "Train, evaluate, export and use text classifiers with early exits.",
            [module.EXAMPLES[0] for module in modules.values()],
        ),
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    for name, module in modules.items():
        command = commands.add_parser(name, help=module.HELP, **_help(module.HELP, module.EXAMPLES))
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def _help(description: str, examples: Iterable[str]) -> dict[str, Any]:
    lines = "\n".join(f"  {example}" for example in examples)
    return {
        "description": description,
        "epilog": f"examples:\n{lines}",
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }


def _refuse(command: str, message: str) -> int:
    """Print an error on one line in the format of argparse, and return the exit code."""
    print(f"cosee {command}: error: {' '.join(message.split())}", file=sys.stderr)
    return 2
