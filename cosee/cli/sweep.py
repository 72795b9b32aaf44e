"""`cosee sweep`: every operating point of a trained run, from its stored outputs."""

import argparse
from pathlib import Path

from cosee.cli.settings import TARGETS, share
from cosee.errors import InputError

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
    parser.add_argument(
        "--risks",
        type=share,
        nargs="+",
        metavar="R",
        help="largest shares of answers other than the last exit's: thresholds are certified on the calibration "
        "examples with confidence 0.9 and shown on --split too",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="CSV file to write")


def run(args: argparse.Namespace) -> None:
    """Sweep, write, show."""
    import pandas as pd

    from cosee.evaluation.curve_frames import static_frame, tradeoff_frame
    from cosee.evaluation.families import Choice, choose_members
    from cosee.evaluation.members import members_on
    from cosee.evaluation.point_frames import operating_points, static_targets_frame, targets_frame
    from cosee.evaluation.temperature import temperatures_of
    from cosee.exiting.tempering import tempered
    from cosee.io import write_frame
    from cosee.methods import rule_named
    from cosee.runs.stored import read_run, run_id, stored_predictions

    facts = read_run(args.folder)
    identity, rule = run_id(facts), rule_named(args.rule or facts["run"]["rule"])
    outputs = stored_predictions(args.folder, args.split, rule.name)
    if args.temperatures == "cal" and args.risks:
        raise InputError(
            "--temperatures cal: risks are certified on cal, whose examples may not shape the scores; fit on sel."
        )
    if args.risks and rule.fit is not None:
        raise InputError(f"--risks: the exit rule {rule.name} has schedules, and no threshold; choose another rule.")
    if args.temperatures:
        rule = tempered(rule, temperatures_of(stored_predictions(args.folder, args.temperatures, rule.name)))
    if len(outputs.exit_depths) == 1:
        curve = static_frame(identity, outputs, args.split, rule.name)
        shown = static_targets_frame(identity, outputs, args.split)
    else:
        all_points = outputs.predicted.size + 1  # no curve has more
        selection = stored_predictions(args.folder, facts["selection_split"], rule.name)
        if rule.fit is None:
            (points,) = operating_points([selection], rule, args.targets)
            choices = [Choice(rule, points, curve=rule)]
        else:
            # refuses targets that no model of this depth can have
            operating_points([selection], members_on(rule, selection)[0], args.targets)
            choices = choose_members(selection, rule, identity.task, args.targets)
        curve = pd.concat(
            tradeoff_frame(identity, outputs, args.split, choice.curve, all_points)
            for choice in choices
            if choice.curve is not None
        )
        shown = pd.concat(
            targets_frame(identity, outputs, args.split, choice.rule, choice.points) for choice in choices
        )
    write_frame(args.out, curve)
    columns = ["target_speedup", "threshold", "speedup", "speedup_flops", "score", "accuracy", "f1"]
    table = shown[columns].dropna(axis="columns", how="all")
    print(table.to_string(index=False, float_format="{:.4f}".format, formatters={"threshold": "{:.8g}".format}))
    if args.risks and len(outputs.exit_depths) > 1:
        from cosee.evaluation.risk_frames import risk_frame

        calibration = stored_predictions(args.folder, "cal", rule.name)
        certified = risk_frame(
            *([identity], [calibration], {args.split: [outputs]}, rule),
            levels=args.risks,
            confidence=0.9,
            kinds=["same"],
            procedures=["ltt"],
        )
        shown = certified[["level", "threshold", "risk", "low", "high", "speedup", "score"]]
        formats = {"threshold": "{:.8g}".format, "level": "{:g}".format}
        print(shown.to_string(index=False, float_format="{:.4f}".format, formatters=formats, na_rep="none"))
