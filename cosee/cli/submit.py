"""`cosee submit`: predictions for the test split, as files for the GLUE server."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cosee.cli.settings import positive_number, share
from cosee.errors import InputError

if TYPE_CHECKING:
    from cosee.evaluation.outputs import ExitOutputs
    from cosee.exiting.rules import Rule

HELP = "write a run's predictions for the test split, in the form that the GLUE server expects"
EXAMPLES = ("cosee submit runs/pabee --speedup 2 --out submission",)


CONFIDENCE = 0.9
"""Of a threshold that is certified for a risk."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="RUN", help="folder of the run, with outputs for the test split")
    parser.add_argument("--rule", help="exit rule (default: that of the run's selection)")
    speed = parser.add_mutually_exclusive_group()
    speed.add_argument(
        "--risk",
        type=share,
        metavar="R",
        help="the fastest threshold certified on the run's calibration examples: with confidence 0.9, the share of "
        "answers other than the last exit's is at most R",
    )
    speed.add_argument(
        "--speedup",
        type=positive_number,
        default=2.0,
        metavar="X",
        help="target speed-up, for which the threshold is chosen on the selection split (default: 2)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="folder for the file or files of the task"
    )


def run(args: argparse.Namespace) -> None:
    """Choose the threshold on the selection split, predict, write."""
    from cosee.data.tasks import TASKS
    from cosee.evaluation.risk_frames import deployed_rule
    from cosee.exiting.simulation import threshold_for_speedup
    from cosee.export.submission import submission_frame
    from cosee.methods import rule_named
    from cosee.runs.stored import read_run, stored_predictions
    from cosee.whole import whole_file

    facts = read_run(args.folder)
    task, rule = TASKS[facts["run"]["task"]], rule_named(args.rule or facts["run"]["rule"])
    splits = {split: stored_predictions(args.folder, split, rule.name) for split in task.submission}
    selection, threshold = stored_predictions(args.folder, facts["selection_split"], rule.name), float("nan")
    if len(selection.exit_depths) > 1 and rule.fit is not None:
        if args.risk is not None:
            raise InputError(f"--risk: the exit rule {rule.name} has schedules in place of a threshold; use --speedup.")
        rule = deployed_rule(selection, rule, facts["run"]["task"], args.speedup)
    if len(selection.exit_depths) > 1 and args.risk is not None:
        threshold = certified_threshold(stored_predictions(args.folder, "cal", rule.name), rule, args.risk)
    elif len(selection.exit_depths) > 1:
        threshold, _ = threshold_for_speedup(selection.exit_scores(rule), args.speedup, rule.harder_is, rule.thresholds)
    for split, predictions in splits.items():
        frame, speedup = submission_frame(predictions, rule, threshold, task)
        file = args.out / task.submission[split]
        with whole_file(file) as temporary:
            frame.to_csv(temporary, sep="\t", index=False)
        print(f"{file}: {len(frame)} predictions, {speedup:.2f}x in layers")


def certified_threshold(calibration: "ExitOutputs", rule: "Rule", level: float) -> float:
    """Threshold that is certified for a risk of other answers than the last exit's.

    Raises:
        InputError: the level is not certified, or the rule needs all examples of a split.
    """
    from cosee.evaluation.risk_levels import certified_levels, refusal, within

    if not rule.is_online:
        raise InputError(f"--risk: the exit rule {rule.name} needs all examples of a split; choose an online rule.")
    levels = certified_levels(calibration, rule, "same", CONFIDENCE)
    chosen = within(levels, level)
    if chosen is None:
        raise InputError(f"--risk: {refusal(level, CONFIDENCE, len(calibration.labels), levels)}")
    if chosen.threshold is not None:
        return chosen.threshold
    low, high = rule.range(calibration.logits.shape[-1], len(calibration.exit_depths))
    return low if rule.harder_is == "larger" else high  # no score passes it
