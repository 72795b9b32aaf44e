"""`cosee sweep`: every operating point of a trained run, from its stored outputs."""

import argparse
from pathlib import Path

from cosee.cli.settings import TARGETS

HELP = "write every operating point of a run, and show those at target speed-ups"
EXAMPLES = (
    "cosee sweep runs/mine --targets 1.5 2 3 4 --out tradeoff.csv",
    "cosee sweep runs/mine --split fit --rule patience --out patience.csv",
    "cosee sweep runs/mine --rule mean --temperatures sel --out mean.csv",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="RUN", help="folder of the run, with its outputs")
    parser.add_argument("--split", default="dev", help="split to evaluate (default: dev)")
    parser.add_argument("--rule", help="exit rule (default: that of the run's selection)")
    parser.add_argument(
        "--targets",
        type=float,
        nargs="+",
        default=TARGETS,
        metavar="SPEEDUP",
        help="target speed-ups: thresholds are chosen on the selection split and shown on --split (default: 1.5 2 3 4)",
    )
    parser.add_argument(
        "--temperatures",
        metavar="SPLIT",
        help="divide the logits of each exit by the temperature that fits this split best, such as sel (default: none)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="CSV file to write")


def run(args: argparse.Namespace) -> None:
    """Sweep, write, show."""
    from cosee.evaluation import frames as ev
    from cosee.evaluation.temperature import temperatures_of
    from cosee.exiting.tempering import tempered
    from cosee.io import write_frame
    from cosee.methods import rule_named
    from cosee.runs.stored import read_run, run_id, stored_predictions

    facts = read_run(args.folder)
    identity, rule = run_id(facts), rule_named(args.rule or facts["run"]["rule"])
    outputs = stored_predictions(args.folder, args.split, rule.name)
    if args.temperatures:
        rule = tempered(rule, temperatures_of(stored_predictions(args.folder, args.temperatures, rule.name)))
    if len(outputs.exit_depths) == 1:
        curve = ev.static_frame(identity, outputs, args.split, rule.name)
        shown = ev.static_targets_frame(identity, outputs, args.split)
    else:
        all_points = outputs.predicted.size + 1  # no curve has more
        selection = stored_predictions(args.folder, facts["selection_split"], rule.name)
        (thresholds,) = ev.operating_points([selection], rule, args.targets)
        curve = ev.tradeoff_frame(identity, outputs, args.split, rule, all_points)
        shown = ev.targets_frame(identity, outputs, args.split, rule, thresholds)
    write_frame(args.out, curve)
    columns = ["target_speedup", "threshold", "speedup", "speedup_flops", "score", "accuracy", "f1"]
    table = shown[columns].dropna(axis="columns", how="all")
    print(table.to_string(index=False, float_format="{:.4f}".format, formatters={"threshold": "{:.8g}".format}))
