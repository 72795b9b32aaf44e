"""`cosee train`: one training, as in the workflow."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cosee.cli.settings import assignment, positive, read_settings, whole
from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.methods import METHODS

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

    from cosee.data.tokens import TokenSplit

HELP = "train one model on one task, and predict every split with it"
EXAMPLES = (
    r"""cosee train --task sst2 --method cosee --set alpha=0.1 --set beta0=0.2 --training learning_rate=0.001 \
    --tokens resources/tokens/bert/sst2.npz --backbone resources/backbones/bert --out runs/mine""",
    r"""cosee train --task rte --method pabee --training learning_rate=0.0001 --training epochs=3 \
    --data GLUE --backbone resources/backbones/bert --out runs/pabee""",
)
DEFAULTS = {"learning_rate": 2e-5, "batch_size": 32, "epochs": 10}
"""Training settings without a default elsewhere: those of the preset bert-base on small tasks."""

MAX_LENGTH = 128
"""Tokens per example that is tokenized here."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--task", required=True, choices=TASKS)
    parser.add_argument("--method", required=True, choices=METHODS)
    parser.add_argument(
        "--set",
        type=assignment,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a hyper-parameter of the method (may be repeated)",
    )
    parser.add_argument(
        "--training",
        type=assignment,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the training loop (may be repeated); unless given, "
        + ", ".join(f"{name}={value}" for name, value in DEFAULTS.items()),
    )
    rows = parser.add_mutually_exclusive_group(required=True)
    rows.add_argument("--tokens", type=Path, metavar="FILE", help="token ids of the task, from the workflow")
    rows.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="examples in the layout of nyu-mll/glue, FOLDER/<task>/train-*.parquet; tokenized into OUT/tokens.npz",
    )
    parser.add_argument("--backbone", type=Path, required=True, metavar="FOLDER", help="pretrained encoder")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="the run's folder; an unfinished run in it is resumed"
    )
    parser.add_argument("--seed", type=whole, default=0, help="seed of example order and fresh weights (default: 0)")
    parser.add_argument(
        "--rule",
        help="exit rule for the comparison of checkpoints (default: that of the method's paper)",
    )
    parser.add_argument(
        "--protocol",
        choices=("heldout", "field"),
        default="heldout",
        help="compare checkpoints on examples held out from train, or on dev as the papers do (default: heldout)",
    )
    parser.add_argument(
        "--cal-max",
        type=positive,
        default=0,
        metavar="N",
        help="with --data: hold out at most N more examples (and a tenth), on which thresholds are certified for "
        "a risk (default: none)",
    )
    parser.add_argument(
        "--criterion",
        choices=("area", "score_at_2x"),
        default="area",
        help="compare them by the mean of the best scores at speed-ups 1.5 to 4, or by that at 2 (default: area)",
    )


def run(args: argparse.Namespace) -> None:
    """Train, predict, write; then print the chosen checkpoint."""
    if (args.out / "run.json").exists():
        raise InputError(f"{args.out}: contains a finished run; choose another folder, or remove this one.")
    if args.tokens and not args.tokens.is_file():
        raise InputError(f"{args.tokens}: no such file; give token ids, or examples to tokenize with --data.")
    from dataclasses import asdict

    import torch

    from cosee.data.tokens import padding_id
    from cosee.exiting.rules import check_readable
    from cosee.exiting.signals import SIGNALS
    from cosee.methods import make_method, method_class, rule_named
    from cosee.models.loading import encoder_configuration
    from cosee.plan.runs import Run
    from cosee.runs.device import configure_torch, default_device
    from cosee.runs.execution import RunInputs, train_and_predict
    from cosee.runs.stored import read_run
    from cosee.training.settings import TrainingSettings

    settings = read_settings(method_class(args.method), args.set, "--set")
    method = make_method(args.method, settings)
    rule = rule_named(args.rule or method.exit_rule())
    check_readable(rule, method.learns_scores(), f"--method {args.method}")
    signal = getattr(method, "signal", None)
    if signal not in (None, *SIGNALS):
        raise InputError(f"--set signal={signal}: no such exit signal; expected one of {', '.join(SIGNALS)}.")
    run = Run(
        backbone=args.backbone.resolve().name,
        task=args.task,
        variant=args.method,
        name=args.method,
        signal=signal,
        rule=rule.name,
        method=args.method,
        settings=settings,
        training=asdict(TrainingSettings(**DEFAULTS | read_settings(TrainingSettings, args.training, "--training"))),
        seed=args.seed,
    )
    encoder = encoder_configuration(args.backbone)
    tokens = read_tokens(args, encoder)
    configure_torch(torch.get_num_threads())
    train_and_predict(
        run,
        RunInputs(tokens, args.backbone, encoder.num_hidden_layers, padding_id(args.backbone / "tokenizer.json")),
        protocol={"name": args.protocol, "criterion": args.criterion},
        splits=list(tokens),
        keep_weights=True,
        device=default_device(),
        folder=args.out,
    )
    facts = read_run(args.out)
    score, epoch, split = facts["sel_score"][run.rule], facts["best_epoch"][run.rule], facts["selection_split"]
    print(f"{args.out}: {args.criterion} {score:.4f} on {split} after epoch {epoch} (chosen)")


def read_tokens(args: argparse.Namespace, encoder: "PreTrainedConfig") -> dict[str, "TokenSplit"]:
    """The token ids of `--tokens`, or those of the examples in `--data`, cut and encoded as in the workflow.

    Raises:
        InputError: they do not fit the task, the protocol or the encoder.
    """
    from cosee.data.cuts import SELECTION_SPLIT, cut_splits
    from cosee.data.glue import check_rows, local_rows
    from cosee.data.tokens import check_origin, check_tokens, encode, load_tokens, max_positions, save_tokens

    task, where = TASKS[args.task], args.tokens or args.data
    tokenizer = args.backbone / "tokenizer.json"
    if args.tokens:
        tokens = load_tokens(args.tokens)
        check_origin(args.tokens, task.name, tokenizer)
    else:
        rows = local_rows(task, args.data, "--data")
        check_rows(rows, task, "--data")
        examples = cut_splits(rows, task, args.protocol, cal_max=args.cal_max)
        tokens = encode(examples, tokenizer, MAX_LENGTH)
        save_tokens(args.out / "tokens.npz", tokens, task.name, tokenizer)
    check_tokens(tokens, encoder.vocab_size, max_positions(encoder.to_dict()), str(where))
    for split in ("fit", SELECTION_SPLIT[args.protocol]):
        if split not in tokens:
            has = ", ".join(tokens)
            raise InputError(f"{where}: no split {split!r}, which --protocol {args.protocol} needs; it has {has}.")
        labels = tokens[split].labels
        if not 0 <= labels.min() <= labels.max() < task.num_classes:
            raise InputError(
                f"{where}: labels from {labels.min()} to {labels.max()} in the split {split!r}, but {task.name} has "
                f"{task.num_classes} classes; give the token ids of this task."
            )
    return tokens
