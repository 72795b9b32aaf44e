"""`cosee sweep`: every operating point of a trained run, from the predictions that it left."""

import argparse
from pathlib import Path

from cosee.cli.settings import TARGETS

HELP = "write every operating point of a run, and show those at target speed-ups"
EXAMPLES = (
    "cosee sweep runs/mine --targets 1.5 2 3 4 --out tradeoff.csv",
    "cosee sweep runs/mine --split fit --rule patience --out patience.csv",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="RUN", help="folder of the run, with its predictions")
    parser.add_argument("--split", default="dev", help="rows to evaluate (default: dev)")
    parser.add_argument("--rule", help="exit rule (default: the one that the run was selected by)")
    parser.add_argument(
        "--targets",
        type=float,
        nargs="+",
        default=TARGETS,
        metavar="SPEEDUP",
        help="thresholds are sought on the selection split, what they give on --split is shown (default: 1.5 2 3 4)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="CSV file to write")


def run(args: argparse.Namespace) -> None:
    """Sweep, write, show."""
    from cosee.evaluation import frames as ev
    from cosee.io import write_frame
    from cosee.methods import rule_named
    from cosee.runs.stored import read_run, run_id, stored_predictions

    facts = read_run(args.folder)
    who, rule = run_id(facts), rule_named(args.rule or facts["run"]["rule"])
    predictions = stored_predictions(args.folder, args.split)
    if len(predictions.exit_depths) == 1:
        curve = ev.static_frame(who, predictions, args.split, rule.name)
        shown = ev.static_targets_frame(who, predictions, args.split)
    else:
        all_points = predictions.predicted.size + 1  # no curve has more
        selection = stored_predictions(args.folder, facts["selection_split"])
        (thresholds,) = ev.operating_points([selection], rule, args.targets)
        curve = ev.tradeoff_frame(who, predictions, args.split, rule, all_points)
        shown = ev.targets_frame(who, predictions, args.split, rule, thresholds)
    write_frame(args.out, curve)
    columns = ["target_speedup", "threshold", "speedup", "speedup_flops", "score", "accuracy", "f1"]
    table = shown[columns].dropna(axis="columns", how="all")
    print(table.to_string(index=False, float_format="{:.4f}".format, formatters={"threshold": "{:.8g}".format}))
