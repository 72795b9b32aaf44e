"""`cosee export`: a trained run as a model folder of transformers."""

import argparse
from pathlib import Path

from cosee.cli.settings import share

HELP = "write a run as a model folder that transformers and `cosee classify` read"
EXAMPLES = (
    "cosee export runs/mine --backbone resources/backbones/bert --out exported",
    "cosee export runs/pabee --backbone resources/backbones/bert --out entailment",
    r"""cosee export results/runs/bert/sst2/cosee-energy/final/seed0 --backbone resources/backbones/bert \
    --manifest results/manifest.json --rule entropy --out exported-entropy""",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="RUN", help="folder of the run, with weights and predictions")
    parser.add_argument("--backbone", type=Path, required=True, metavar="FOLDER", help="encoder that the run used")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder to write; must not exist")
    parser.add_argument("--rule", help="exit rule (default: that of the run's selection)")
    parser.add_argument(
        "--temperatures",
        metavar="SPLIT",
        help="divide the logits of each exit by the temperature that fits this split best, such as sel (default: none)",
    )
    parser.add_argument(
        "--confidence",
        type=share,
        default=0.9,
        metavar="C",
        help="of the thresholds certified for a risk, if the run has calibration examples (default: 0.9)",
    )
    parser.add_argument(
        "--manifest", type=Path, metavar="FILE", help="manifest.json of the workflow, with data and encoder"
    )


def run(args: argparse.Namespace) -> None:
    """Export."""
    from cosee.runs.stored import read_run

    read_run(args.folder)  # before the next import, which takes seconds
    from transformers.utils import logging

    from cosee.export.model_folder import export

    logging.disable_progress_bar()  # a folder is written within a second
    export(args.folder, args.backbone, args.out, args.rule, args.manifest, args.confidence, args.temperatures)
