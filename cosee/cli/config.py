"""`cosee config`: the configuration that comes of the defaults and the files of a preset."""

import argparse
from pathlib import Path

HELP = "Print the whole configuration of a preset: the defaults with its files merged over them, checked."
EXAMPLES = (
    "cosee config",
    "cosee config config/glue-small.yaml config/glue-small-cpu.yaml",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="the files that --configfile gets, in this order; none: the mini preset",
    )
    parser.add_argument(
        "--defaults",
        default="config/defaults.yaml",
        metavar="FILE",
        help="the defaults (default: config/defaults.yaml); config.yaml beside them is the mini preset",
    )


def run(args: argparse.Namespace) -> None:
    """Merge, check and print."""
    import yaml

    from cosee.plan.checks import check
    from cosee.plan.configuration import configuration
    from cosee.plan.merging import read_preset

    config = configuration(read_preset(Path(args.defaults), [Path(file) for file in args.files]))
    check(config)
    print(yaml.safe_dump(config.as_mapping(), sort_keys=False, width=120, allow_unicode=True), end="")
