"""Wrong arguments and files of the command line, in a folder with trained and exported tiny models."""

import io
import json
import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

import torch
from faults.outcomes import Case
from helpers.place import write_place
from helpers.tiny import mpnet_tokenizer, write_backbone
from safetensors.torch import load_file, save_file

from cosee.cli import main

KIND = "command line"
BASE = "--backbone resources/backbones/bert"
TOKENS = "--tokens resources/tokens/bert/sst2.npz"
TRAIN = f"train --task sst2 --method cosee {TOKENS} {BASE} --training epochs=1 --training learning_rate=0.001 --out new"
PREDICT = f"predict runs/mine {TOKENS} {BASE} --out new.npz"
EXPORT = f"export runs/mine {BASE} --out new"

ARGUMENTS = {
    "classify": (
        "exported none.txt",
        "exported .",
        "none reviews.txt",
        "resources/backbones/bert reviews.txt",
        "exported reviews.txt --speedup inf",
        "exported reviews.txt --speedup nan",
        "exported reviews.txt --speedup 0",
        "exported reviews.txt --speedup 99",
        "exported reviews.txt --threshold nan",
        "exported reviews.txt --threshold 7",
        "exported reviews.txt --threshold x",
        "exported reviews.txt --speedup 2 --threshold 0.3",
        "exported reviews.txt --batch-size 0",
        "exported reviews.txt --batch-size -1",
        "exported reviews.txt --batch-size 1000000000000000000000000000000",
        "exported reviews.txt --batch-size ²",
        "exported reviews.txt --out reviews.txt",
        "exported reviews.txt --out .",
        "exported reviews.txt --out /dev/full",
        "exported reviews.txt --out /proc/x/y",
        "exported reviews.txt --out reviews.txt/x.csv",
        "exported pairs.csv --column none",
        "exported pairs.csv --pair-column n",
        "exported pairs.csv --column sentence1 --pair-column sentence2",
        "entailment pairs.csv --column sentence1",
        "entailment reviews.txt",
        "exported resources/tokens/bert/sst2.npz",
    ),
    TRAIN: (
        "--out runs/mine",
        "--out reviews.txt",
        "--out reviews.txt/x",
        "--out /proc/x",
        "--task cola",
        "--task mnli",
        "--method none",
        "--set gamma=1",
        "--set alpha=much",
        "--set alpha=-1",
        "--set alpha=nan",
        "--set alpha",
        "--set =1",
        "--set num_thresholds=2.5",
        "--set num_thresholds=0",
        "--set osc_average=some",
        "--set signal=margin",
        "--set dropout=1",
        "--training epochs=0",
        "--training epochs=1e3",
        "--training warmup=2",
        "--training precision=fp8",
        "--training learning_rate=inf",
        "--training learning_rate=1e30",
        "--training batch_size=-1",
        "--training accumulation=7",
        "--training none=1",
        "--rule hunch",
        "--rule uncertainty",
        "--seed -1",
        "--seed one",
        "--seed 99999999999999999999999",
        "--protocol none",
        "--criterion loss",
        "--backbone none",
        "--backbone resources",
        "--tokens none.npz",
        "--tokens pairs.csv",
        "--tokens runs/mine/logits-dev.npz",
        "--data GLUE",
    ),
    PREDICT: (
        "--split none",
        "--split ../../x",
        "--out new.csv",
        "--out .",
        "--tokens none.npz",
        "--tokens runs/mine/logits-dev.npz",
        "--backbone none",
        "--backbone other",
        "--tokens runs/pabee/tokens.npz",
    ),
    "sweep runs/mine --out new.csv": (
        "--split none",
        "--split ../../../etc/passwd",
        "--rule none",
        "--rule uncertainty",
        "--targets 0",
        "--targets nan",
        "--targets 99",
        "--targets x",
        "--out .",
        "--out reviews.txt/x",
    ),
    EXPORT: (
        "--out exported",
        "--out reviews.txt",
        "--out /proc/x",
        "--rule none",
        "--rule sampled",
        "--rule uncertainty",
        "--backbone none",
        "--backbone other",
        "--manifest none.json",
        "--manifest runs/mine/run.json",
        "--manifest pairs.csv",
    ),
    "": ("", "none", "--none", "sweep", "export none", "publish none --collection new", "replicate laptop none"),
    "submit runs/mine --out new": ("", "--speedup 0", "--speedup x", "--rule none"),
    "publish runs/mine": ("", "--collection reviews.txt"),
    "config": ("none.yaml", "reviews.txt", "pairs.csv"),
}
"""Beginning of a command line -> ends that are refused."""

HARMLESS = (
    "classify exported reviews.txt",
    "classify exported empty.txt",
    "classify exported reviews.txt --batch-size 1 --threshold 1",
    "classify entailment pairs.csv --column sentence1 --pair-column sentence2 --out new.csv",
    "classify exported reviews.txt --out link.csv",
    "classify exported /dev/null",
    "classify exported long.txt",
    "classify entailment long.csv --column a --pair-column b",
    "sweep runs/mine --out new.csv",
    PREDICT,
    EXPORT,
    f"{TRAIN} --seed 7",
)

CSV_FILES = {
    "empty": b"",
    "no header": b"good\nbad\n",
    "short row": b"n,text\n1,good\n2\n",
    "long row": b"n,text\n1,good,bad\n",
    "blank row": b"n,text\n1,good\n\n2,bad\n",
    "unclosed quote": b'n,text\n1,"good\n2,bad\n',
    "duplicate header": b"text,text\na,b\n",
    "other delimiter": b"n;text\n1;good\n",
    "UTF-16": "n,text\n1,good\n".encode("utf-16"),
    "latin-1": b"n,text\n1,caf\xe9\n",
    "a huge field": b"n,text\n1," + b"good " * 40_000 + b"\n",
}

CONFIGS = {
    "model_type": (None, "bert", 3),
    "rule": ("none", None, 3),
    "threshold": ("0.5", [1], True),
    "tradeoff": ([{}], [{"speedup": "x", "threshold": 1}]),
    "check_every": (0, "1", None),
    "method": ("none", None),
    "method_settings": ({"foo": 1}, {"alpha": "x"}),
    "encoder": (None, {"model_type": "roberta"}, {"model_type": "bert", "hidden_size": 8}),
    "id2label": ({"0": "a"},),
    "columns": ([], ["a", "b", "c"]),
}
"""Key of an exported config.json -> wrong values."""


def build(folder: Path) -> Path:
    """The folder that all these command lines start from."""
    place = write_place(folder / "place", write_backbone(folder / "bert", "bert"))
    write_backbone(place / "other", "bert", hidden_size=32)
    mpnet_tokenizer().save(str(place / "other/tokenizer.json"))
    (place / "empty.txt").write_bytes(b"")
    (place / "long.txt").write_text("good bad " * 200_000 + "\n")
    (place / "long.csv").write_text("a,b\n" + ",".join(["good bad " * 14_000] * 2) + "\n")
    (place / "link.csv").symlink_to(place / "answers.csv")
    short = "--training epochs=1 --training learning_rate=0.001"
    before = Path.cwd()
    os.chdir(place)
    with redirect_stdout(io.StringIO()):
        for line in (
            f"train --task sst2 --method cosee {TOKENS} {BASE} {short} --out runs/mine",
            f"train --task rte --method pabee --data GLUE {BASE} {short} --out runs/pabee",
            f"export runs/mine {BASE} --out exported",
            f"export runs/pabee {BASE} --out entailment",
        ):
            assert main(shlex.split(line)) == 0, line
    os.chdir(before)
    return place


def changed_config(key: str, value: object, folder: Path) -> int:
    """Classify with a model whose config.json says something else."""
    shutil.copytree("exported", "model")
    config = json.loads(Path("model/config.json").read_text())
    Path("model/config.json").write_text(json.dumps(config | {key: value}))
    return main(["classify", "model", "reviews.txt"])


def csv_file(content: bytes, folder: Path) -> int:
    """Classify a column of a CSV file."""
    Path("odd.csv").write_bytes(content)
    return main(["classify", "exported", "odd.csv", "--column", "text", "--out", "new.csv"])


def changed_model(change: Callable[[Path], object], folder: Path) -> int:
    """Classify with a model folder that was changed."""
    shutil.copytree("exported", "model")
    change(Path("model"))
    return main(["classify", "model", "reviews.txt"])


def _nan(model: Path) -> None:
    weights = load_file(model / "model.safetensors")
    save_file({k: v * float("nan") for k, v in weights.items()}, model / "model.safetensors", {"format": "pt"})


def _fewer(model: Path) -> None:
    weights = load_file(model / "model.safetensors")
    save_file(dict(list(weights.items())[:3]), model / "model.safetensors", {"format": "pt"})


def _pickle(model: Path) -> None:
    torch.save(load_file(model / "model.safetensors"), model / "pytorch_model.bin")
    (model / "model.safetensors").unlink()


def _code(model: Path) -> None:
    (model / "evil.py").write_text("raise SystemExit('code ran')\n")
    auto = {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}}
    (model / "tokenizer_config.json").write_text(json.dumps(auto))


MODELS: dict[str, Callable[[Path], object]] = {
    "weights NaN": _nan,
    "weights missing": _fewer,
    "weights a pickle": _pickle,
    "a tokenizer with code": _code,
    "no tokenizer": lambda model: [(model / name).unlink() for name in ("tokenizer.json", "tokenizer_config.json")],
    "tokenizer {}": lambda model: (model / "tokenizer.json").write_text("{}"),
    "tokenizer of other ids": lambda model: (model / "tokenizer.json").write_text(
        (model / "tokenizer.json").read_text().replace('"good": 5', '"good": 5000').replace('"good":5', '"good":5000')
    ),
}


def cases() -> Iterator[Case]:
    """Every wrong command line, model and CSV file."""
    for begin, ends in ARGUMENTS.items():
        for end in ends:
            line = shlex.split(f"{begin} {end}")
            yield Case(KIND, " ".join(line)[-90:], lambda _, line=line: main(line))
    for line in HARMLESS:
        yield Case(KIND, line[-90:], lambda _, line=line: main(shlex.split(line)), good=True)
    for key, values in CONFIGS.items():
        for value in values:
            yield Case(KIND, f"config.json, {key}: {value!r}", partial(changed_config, key, value))
    for name, content in CSV_FILES.items():
        yield Case(KIND, f"CSV, {name}", partial(csv_file, content))
    for name, change in MODELS.items():
        yield Case(KIND, f"model, {name}", partial(changed_model, change))
