"""`cosee predict`: logits of every exit of a trained model for a split."""

import argparse
from pathlib import Path

from cosee.errors import InputError

HELP = "write a trained run's logits of every exit for a split"
EXAMPLES = (
    r"""cosee predict runs/mine --tokens resources/tokens/bert/sst2.npz --backbone resources/backbones/bert \
    --split dev --out logits-dev.npz""",
    "cosee predict runs/pabee --tokens runs/pabee/tokens.npz --backbone resources/backbones/bert --out pabee-dev.npz",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("folder", type=Path, metavar="RUN", help="folder of the run, with its weights")
    parser.add_argument("--tokens", type=Path, required=True, metavar="FILE", help="token ids")
    parser.add_argument("--backbone", type=Path, required=True, metavar="FOLDER", help="encoder that the run used")
    parser.add_argument("--split", default="dev", help="split of the token ids (default: dev)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.npz", help="file to write")


def run(args: argparse.Namespace) -> None:
    """Load, predict, write."""
    from cosee.data.tokens import check_origin, check_tokens, load_tokens, max_positions, padding_id
    from cosee.runs.stored import read_run

    facts = read_run(args.folder)
    if args.out.suffix != ".npz":
        raise InputError(f"--out {args.out}: expected a name that ends in .npz.")
    if not args.tokens.is_file():
        raise InputError(f"{args.tokens}: no such file; expected token ids.")
    tokens = load_tokens(args.tokens)
    if args.split not in tokens:
        raise InputError(f"{args.tokens}: no split {args.split!r}; it has {', '.join(tokens)}.")

    from cosee.data.batches import DeviceSplit
    from cosee.evaluation.outputs import exit_outputs, save_outputs
    from cosee.models.loading import encoder_configuration
    from cosee.models.prediction import predict
    from cosee.runs.device import default_device
    from cosee.runs.weights import load_run
    from cosee.training.settings import TrainingSettings

    encoder, rows, device = encoder_configuration(args.backbone), tokens[args.split], default_device()
    check_origin(args.tokens, facts["run"]["task"], args.backbone / "tokenizer.json")
    check_tokens({args.split: rows}, encoder.vocab_size, max_positions(encoder.to_dict()), str(args.tokens))
    model = load_run(args.folder, args.backbone).to(device)
    split = DeviceSplit(rows, device, padding_id(args.backbone / "tokenizer.json"))
    outputs = predict(model, split, TrainingSettings(**facts["run"]["training"]).eval_batch_size)
    save_outputs(args.out, exit_outputs(model, outputs, rows, encoder.num_hidden_layers))
