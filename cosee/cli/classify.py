"""`cosee classify`: labels of texts, with early exit."""

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from cosee.cli.settings import positive, share
from cosee.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from cosee.export.hf_model import EarlyExitForSequenceClassification

HELP = "classify lines of text, or a column of a CSV file, with an exported model"
EXAMPLES = (
    "cosee classify exported reviews.txt --speedup 2 > answers.csv",
    "cosee classify exported reviews.txt --risk 0.05 --out careful.csv",
    "cat reviews.txt | cosee classify exported --threshold 0.3 --batch-size 1 | head -3",
    "cosee classify entailment pairs.csv --column sentence1 --pair-column sentence2 --out answers.csv",
)

Row = tuple[str, ...]
"""The one or two texts that are classified together."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="folder that `cosee export` wrote")
    parser.add_argument(
        "file", type=Path, nargs="?", metavar="FILE", help="one text per line, or CSV with --column (default: stdin)"
    )
    speed = parser.add_mutually_exclusive_group()
    speed.add_argument("--speedup", type=float, metavar="X", help="an operating point of the model's trade-off table")
    speed.add_argument("--threshold", type=float, metavar="T", help="a threshold of its exit rule (default: as saved)")
    speed.add_argument("--risk", type=share, metavar="R", help="the fastest threshold that is certified for this risk")
    parser.add_argument(
        "--loss",
        choices=("same", "harm", "error"),
        default="same",
        help="of --risk: another answer than the last exit's, a wrong one where the last exit is right, or a wrong one "
        "(default: same)",
    )
    parser.add_argument("--column", metavar="NAME", help="read CSV with a header, texts from this column")
    parser.add_argument("--pair-column", metavar="NAME", help="second texts, for tasks on pairs")
    parser.add_argument("--batch-size", type=positive, default=32, metavar="B", help="examples at a time (default: 32)")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="CSV file with label, confidence, exit_layer (default: stdout)"
    )


def run(args: argparse.Namespace) -> None:
    """Classify in the order of the input, with at most one batch in memory."""
    if args.pair_column and not args.column:
        raise InputError("--pair-column: names the second text of an example; name the first with --column.")
    if args.file and args.out and args.file.exists() and args.out.exists() and args.file.samefile(args.out):
        raise InputError(f"--out {args.out}: is the input, which would be lost; choose another file.")
    with opened(args.file) as file:
        rows = read_lines(file)
        if args.column:
            rows = read_columns(file, [name for name in (args.column, args.pair_column) if name])
        model, tokenizer = load(args.model)
        check_texts(args.model, model.config.columns, 2 if args.pair_column else 1)
        if args.speedup is not None:
            model.set_speedup(args.speedup)
        if args.risk is not None:
            model.set_risk(args.risk, args.loss)
        if args.threshold is not None:
            model.set_threshold(args.threshold)

        from tqdm import tqdm

        is_quiet = not sys.stderr.isatty() or (args.out is None and sys.stdout.isatty())  # labels appear there already
        with written(args.out) as out, tqdm(unit=" rows", disable=is_quiet) as bar:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(["label", "confidence", "exit_layer"])
            while batch := list(islice(rows, args.batch_size)):
                writer.writerows(classify_batch(model, tokenizer, batch))
                out.flush()
                bar.update(len(batch))


@contextmanager
def opened(path: Path | None) -> Iterator[TextIO]:
    """A text file, or stdin.

    Raises:
        InputError: the text read in the block is not UTF-8, or not valid CSV.
    """
    if path is None and sys.stdin is None:
        raise InputError("stdin: is closed; name a file, or pipe the texts in.")
    source = sys.stdin.fileno() if path is None else path
    try:
        # utf-8-sig: spreadsheets begin their CSV with a byte order mark.
        with open(source, encoding="utf-8-sig", newline="", closefd=path is not None) as file:
            yield file
    except UnicodeDecodeError as error:
        raise InputError(f"{path or 'stdin'}: not UTF-8 text ({error.reason}).") from error
    except csv.Error as error:
        raise InputError(f"{path or 'stdin'}: not CSV ({error}).") from error


@contextmanager
def written(path: Path | None) -> Iterator[TextIO]:
    """A text file that is written whole or not at all; stdout, a device or a pipe as the answers come.

    Raises:
        InputError: stdout is closed, or the disk or device is full.
    """
    if path is None and sys.stdout is None:
        raise InputError("stdout: is closed; name a file with --out.")
    if path is None:
        yield sys.stdout
        return
    from cosee.whole import explained, is_stream, whole_file

    if is_stream(path):
        with explained(path), open(path, "w", encoding="utf-8", newline="") as file:
            yield file
        return
    with whole_file(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        yield file


def read_lines(file: TextIO) -> Iterator[Row]:
    """Every line as one text, empty ones too."""
    return ((line.rstrip("\r\n"),) for line in file)


def read_columns(file: TextIO, columns: Sequence[str]) -> Iterator[Row]:
    """The texts of some columns of a CSV file, row by row: each row has an answer, and nothing is skipped.

    Raises:
        InputError: a column is missing or there twice (at once); a row is blank, ends before a column, or has more
            fields than the header (when it is read).
    """
    reader = csv.reader(file, strict=True)
    available = next(reader, [])
    for name in columns:
        if name not in available:
            raise InputError(f"no column {name!r}; the columns are {', '.join(map(repr, available)) or 'none'}.")
        if available.count(name) > 1:
            raise InputError(f"the header names {available.count(name)} columns {name!r}; give each its own name.")
    positions = [available.index(name) for name in columns]

    def rows() -> Iterator[Row]:
        blank = None
        for row in reader:
            if not row:
                blank = blank or reader.line_num
                continue
            if blank is not None:  # at the end of a file nothing is lost by it
                raise InputError(f'line {blank}: is blank; remove it, or write an empty text as "".')
            if len(row) > len(available):
                raise InputError(
                    f"line {reader.line_num}: has {len(row)} fields, but the header {len(available)}; quote texts that "
                    "contain commas, and close every quote."
                )
            if len(row) <= max(positions):
                missing = next(name for name, at in zip(columns, positions, strict=True) if at >= len(row))
                raise InputError(f"line {reader.line_num}: ends before the column {missing!r}.")
            yield tuple(row[at] for at in positions)

    return rows()


def check_texts(model: Path, columns: Sequence[str], given: int) -> None:
    """Check the number of texts per example.

    Raises:
        InputError: one text is given to a model of pairs, or two to one of single texts.
    """
    if len(columns) == 2 != given:
        raise InputError(
            f"{model}: classifies pairs ({' and '.join(columns)}); name the two columns of a CSV file with --column "
            "and --pair-column."
        )
    if len(columns) == 1 != given:
        raise InputError(f"{model}: classifies single texts ({columns[0]}); omit --pair-column.")


def load(folder: Path) -> tuple["EarlyExitForSequenceClassification", "PreTrainedTokenizerBase"]:
    """An exported model, on the GPU if there is one, and its tokenizer.

    Raises:
        InputError: the folder contains no exported model, or a damaged one.
    """
    from cosee.io import read_json

    if read_json(folder / "config.json").get("model_type") != "early-exit":
        raise InputError(f"{folder}: not a model that `cosee export` wrote.")
    from transformers import AutoTokenizer
    from transformers.utils import logging

    from cosee.export.hf_model import EarlyExitForSequenceClassification
    from cosee.models.loading import LOADING, check_finite, without_stdin
    from cosee.runs.device import default_device

    logging.disable_progress_bar()
    logging.set_verbosity_error()  # what is wrong is said in one sentence, below
    try:
        with without_stdin():
            model, info = EarlyExitForSequenceClassification.from_pretrained(
                folder, **LOADING, use_safetensors=True, output_loading_info=True
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, **LOADING)
    except Exception as error:  # transformers, tokenizers and safetensors each raise exceptions of their own
        reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise InputError(f"{folder}: cannot be loaded ({reason}); export it again.") from error
    if info["missing_keys"]:  # transformers has drawn them at random
        raise InputError(f"{folder}: its weights lack {min(info['missing_keys'])}; export it again.")
    check_finite(model, str(folder))
    if not tokenizer.is_fast:
        raise InputError(f"{folder}: its tokenizer has no fast form (tokenizer.json); export it again.")
    known, largest = model.num_tokens, max(tokenizer.get_vocab().values(), default=0)
    if largest >= known:
        raise InputError(f"{folder}: its tokenizer has ids up to {largest}, its model {known}; export it again.")
    return model.to(default_device()), tokenizer


def classify_batch(
    model: "EarlyExitForSequenceClassification", tokenizer: "PreTrainedTokenizerBase", rows: Sequence[Row]
) -> Iterator[tuple[str, str, int]]:
    """Label, its probability and the 1-based exit layer of every example of a batch."""
    from cosee.data.tokens import beginnings

    texts = map(list, zip(*beginnings(tokenizer.backend_tokenizer, rows, tokenizer.model_max_length), strict=True))
    inputs = tokenizer(*texts, padding=True, truncation=True, return_tensors="pt").to(model.device)
    output = model(**inputs)
    confidences, labels = output.logits.softmax(dim=-1).max(dim=-1)
    columns = labels.tolist(), confidences.tolist(), output.exit_layers.tolist()
    for label, confidence, layer in zip(*columns, strict=True):
        yield model.config.id2label[label], f"{confidence:.6f}", layer + 1
