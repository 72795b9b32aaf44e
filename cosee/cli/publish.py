"""`cosee publish`: finished runs into a collection of outputs that is kept beside the code."""

import argparse
from pathlib import Path

HELP = "add the outputs of finished runs to a collection, without weights or text"
EXAMPLES = ("cosee publish runs/mine --collection published/mine",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of finished runs")
    parser.add_argument(
        "--collection", type=Path, required=True, metavar="FOLDER", help="the collection; made if there is none"
    )


def run(args: argparse.Namespace) -> None:
    """Publish one run after the other."""
    from cosee.runs.published import publish

    for folder in args.runs:
        file = publish(folder, args.collection)
        print(f"{file}: {file.stat().st_size / 1000:.0f} kB")
