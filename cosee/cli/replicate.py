"""`cosee replicate`: which estimates and verdicts of one result folder hold in another, or with other seeds."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

HELP = "compare two result folders, or two groups of seeds: what holds, what is contradicted, what is lost"
EXAMPLES = (
    "cosee replicate laptop server --out replication.csv",
    "cosee replicate laptop --seeds 0 1 2 --against 3 4 5",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="A", help="folder of the workflow, with its results")
    parser.add_argument("other", type=Path, metavar="B", nargs="?", help="another one, whose tables are compared")
    seeds = "seeds of a group, for differences at equal cost from the stored outputs of A; instead of B"
    parser.add_argument("--seeds", type=int, nargs="+", metavar="SEED", help=seeds)
    parser.add_argument("--against", type=int, nargs="+", metavar="SEED", help="seeds of the other group")
    parser.add_argument("--out", type=Path, metavar="FILE", help="CSV file to write as well")


def run(args: argparse.Namespace) -> None:
    """Compare, show, write."""
    from cosee.errors import InputError
    from cosee.evaluation.replication import agreement, read_tables
    from cosee.io import write_frame

    by_seeds = bool(args.seeds and args.against)
    if bool(args.seeds) != bool(args.against) or by_seeds == bool(args.other):
        raise InputError("Two things are compared: give a second folder, or --seeds and --against.")
    if by_seeds:
        groups = (args.seeds, args.against)
        names = tuple(f"seeds {' '.join(map(str, group))}" for group in groups)
        tables = [_differences(args.folder, group) for group in groups]
    else:
        names = (str(args.folder), str(args.other))
        tables = [read_tables(folder) for folder in (args.folder, args.other)]
    table = agreement(*tables, names)
    if args.out:
        write_frame(args.out, table)
    print(table.to_string(index=False, float_format="{:.0%}".format, na_rep="–"))


def _differences(folder: Path, seeds: list[int]) -> Mapping[str, "pd.DataFrame"]:
    """The table of differences at equal cost of some seeds, from stored outputs."""
    from cosee.errors import InputError
    from cosee.io import read_json
    from cosee.plan.configuration import configuration
    from cosee.plan.runs import display_names
    from cosee.plan.shown import compared_variants, shown_curves
    from cosee.runs.points import matched_points
    from cosee.tables import differences

    file = folder / "results/manifest.json"
    config = configuration(read_json(file).get("config", {}))
    spec, target, compared = config.tables.differences, config.protocol.table_target, compared_variants(config)
    if spec is None:
        raise InputError(f"{file}: no table of differences was configured; expected a workflow's folder with one.")
    curves = [curve for curve in shown_curves(config, spec, compared) if curve.seed in seeds]
    if missing := sorted(set(seeds) - {curve.seed for curve in curves}):
        raise InputError(f"{folder}: no runs with seed {', '.join(map(str, missing))}; choose among those it has.")
    points = {key: side for key, side in matched_points(curves, target, folder).items() if any(side.values())}
    table = differences(
        {"matched": points},
        display_names(config, compared),
        config.reference_variant,
        backbone=spec.backbone,
        target_speedup=target,
    )
    return {"differences": table}
