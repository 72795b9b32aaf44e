"""`cosee submit`: predictions for the test split, as files for the GLUE server."""

import argparse
from pathlib import Path

from cosee.cli.settings import positive_number

HELP = "write a run's predictions for the test split, in the form that the GLUE server expects"
EXAMPLES = ("cosee submit runs/pabee --speedup 2 --out submission",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="RUN", help="folder of the run, with outputs for the test split")
    parser.add_argument("--rule", help="exit rule (default: that of the run's selection)")
    parser.add_argument(
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
    from cosee.exiting.simulation import threshold_for_speedup
    from cosee.export.submission import submission_frame
    from cosee.io import whole_file
    from cosee.methods import rule_named
    from cosee.runs.stored import read_run, stored_predictions

    facts = read_run(args.folder)
    task, rule = TASKS[facts["run"]["task"]], rule_named(args.rule or facts["run"]["rule"])
    splits = {split: stored_predictions(args.folder, split, rule.name) for split in task.submission}
    selection, threshold = stored_predictions(args.folder, facts["selection_split"], rule.name), float("nan")
    if len(selection.exit_depths) > 1:
        threshold, _ = threshold_for_speedup(selection.exit_scores(rule), args.speedup, rule.harder_is, rule.thresholds)
    for split, predictions in splits.items():
        frame, speedup = submission_frame(predictions, rule, threshold, task)
        file = args.out / task.submission[split]
        with whole_file(file) as temporary:
            frame.to_csv(temporary, sep="\t", index=False)
        print(f"{file}: {len(frame)} predictions, {speedup:.2f}x in layers")
