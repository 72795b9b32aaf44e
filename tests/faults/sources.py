"""Wrong examples and encoders, as the rules `download`, `backbone` and `tokenize` meet them."""

import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pandas as pd
from faults.outcomes import Case
from helpers.tiny import mpnet_tokenizer, write_backbone
from safetensors.torch import load_file, save_file

from cosee.data.glue import check_rows, cut_splits, local_rows, split_counts
from cosee.data.tasks import TASKS
from cosee.data.tokens import check_tokens, encode, max_positions, save_tokens
from cosee.io import read_json, write_frame
from cosee.models.fetching import fetch_backbone
from cosee.models.loading import check_layers, load_backbone

DATA, ENCODER = "examples", "encoder"
WORDS = ("the film was good", "a dull story", "people liked it", "we went home", "music is great", "bad plot")
Frames = dict[str, pd.DataFrame]


def rows(task: str = "sst2", count: int = 60) -> Frames:
    """Good examples of a task, each once."""
    columns = TASKS[task].columns
    texts = [f"{WORDS[i % 6]} {WORDS[(i // 6) % 6]} {WORDS[(i // 36) % 6]}" for i in range(count)]
    frame = pd.DataFrame({column: texts for column in columns} | {"label": [0, 1] * (count // 2), "idx": range(count)})
    return {"train": frame, "validation": frame.head(20).copy()}


def put(column: str, value: object, split: str = "train") -> Callable[[Frames], None]:
    """A change of one value."""

    def change(frames: Frames) -> None:
        values = frames[split][column].tolist()
        values[3] = value
        frames[split] = frames[split].assign(**{column: pd.Series(values, dtype=object)})

    return change


def whole(column: str, value: object, split: str = "train") -> Callable[[Frames], None]:
    """A change of a whole column."""

    def change(frames: Frames) -> None:
        frames[split] = frames[split].assign(**{column: [value] * len(frames[split])})

    return change


def without(column: str, split: str = "train") -> Callable[[Frames], None]:
    """A column is removed."""
    return lambda frames: frames.update({split: frames[split].drop(columns=column)})


def repeated(times: int) -> Callable[[Frames], None]:
    """Every training example several times."""
    return lambda frames: frames.update({"train": pd.concat([frames["train"]] * times, ignore_index=True)})


ROWS: dict[str, Callable[[Frames], object]] = {
    "a text is null": put("sentence", None),
    "a text is a number": put("sentence", 3.5),
    "a text is bytes": put("sentence", b"caf\xe9"),
    "a text is a list": put("sentence", ["a"]),
    "all texts empty": whole("sentence", ""),
    "all texts spaces": whole("sentence", "   "),
    "all texts unknown words": whole("sentence", "漢字 жук"),
    "all examples equal": whole("sentence", "good"),
    "every example twice": repeated(2),
    "a label is null": put("label", None),
    "a label is 2": put("label", 2),
    "a label is -1": put("label", -1),
    "a label is text": put("label", "1"),
    "a label is a list": put("label", [0]),
    "a label is true": put("label", True),
    "a label is 0.5": put("label", 0.5),
    "a label of dev is -1": put("label", -1, "validation"),
    "idx is null": put("idx", None),
    "idx is text": put("idx", "r0"),
    "idx is infinite": put("idx", float("inf")),
    "idx is 0.5": put("idx", 0.5),
    "idx is huge": put("idx", 10**30),
    "difficulty is null": lambda f: (whole("difficulty", 1)(f), put("difficulty", None)(f)),
    "difficulty is text": whole("difficulty", "hard"),
    "no text column": without("sentence"),
    "no label": without("label"),
    "no idx": without("idx"),
    "no dev": lambda frames: frames.pop("validation"),
    "no train": lambda frames: frames.pop("train"),
    "no rows": lambda frames: frames.update(train=frames["train"].head(0)),
    "no rows of dev": lambda frames: frames.update(validation=frames["validation"].head(0)),
    "one example": lambda frames: frames.update(train=frames["train"].head(1)),
    "three examples": lambda frames: frames.update(train=frames["train"].head(3)),
    "test without a text column": lambda frames: frames.update(test=frames["train"].drop(columns="sentence")),
}
GOOD_ROWS: dict[str, Callable[[Frames], object]] = {
    "as they are": lambda frames: None,
    "a text of 1 MB": put("sentence", "good bad " * 100_000),
    "an empty text": put("sentence", ""),
    "NUL and control signs": put("sentence", "good \x00\x07 bad"),
    "test labels null": lambda frames: frames.update(test=frames["train"].assign(label=None)),
    "test labels text": lambda frames: frames.update(test=frames["train"].assign(label="x")),
    "further columns": whole("note", "x"),
}
FILES: dict[str, bytes | None] = {"missing": None, "empty": b"", "garbage": b"x" * 5000, "CSV": b"sentence,label,idx\n"}


def download(change: Callable[[Frames], object], folder: Path) -> None:
    """Check, cut and encode changed examples."""
    task, frames = TASKS["sst2"], rows()
    change(frames)
    check_rows(frames, task, "data_dir")
    cut = cut_splits(frames, task, "heldout", 0.1, 2000, None, 1)
    split_counts(cut, task)
    write_frame(folder / "rows.parquet", cut)
    _encode(cut, folder)


def shard(content: bytes | None, cut: float, folder: Path) -> None:
    """Read a local copy with a damaged shard."""
    for split, frame in rows().items():
        write_frame(folder / f"data/sst2/{split}-00000-of-00001.parquet", frame)
    file = folder / "data/sst2/train-00000-of-00001.parquet"
    whole_file = file.read_bytes()
    file.unlink()
    if cut:
        content = whole_file[: int(len(whole_file) * cut)]
    if content is not None:
        file.write_bytes(content)
    check_rows(local_rows(TASKS["sst2"], folder / "data"), TASKS["sst2"], "data_dir")


def _encode(cut: pd.DataFrame, folder: Path) -> None:
    encoder = folder / "encoder"
    if not encoder.exists():
        write_backbone(encoder, "bert")
    tokens, config = encode(cut, encoder / "tokenizer.json", 16), read_json(encoder / "config.json")
    check_tokens(tokens, config["vocab_size"], max_positions(config), "tokens")
    save_tokens(folder / "tokens.npz", tokens, "sst2", encoder / "tokenizer.json")


def _weights(change: Callable[[dict], dict]) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        file = folder / "model.safetensors"
        save_file(change(load_file(file)), file, {"format": "pt"})

    return act


def _config(**changes: object) -> Callable[[Path], object]:
    return lambda folder: (folder / "config.json").write_text(
        json.dumps(json.loads((folder / "config.json").read_text()) | changes)
    )


def _content(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def _cut(name: str, share: float) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(
        (folder / name).read_bytes()[: int(share * (folder / name).stat().st_size)]
    )


def _code(folder: Path) -> None:
    (folder / "evil.py").write_text("raise SystemExit('code ran')\n")
    _config(model_type="evil", auto_map={"AutoConfig": "evil.A", "AutoModel": "evil.B"})(folder)


ENCODERS: dict[str, Callable[[Path], object]] = {
    "no configuration": lambda folder: (folder / "config.json").unlink(),
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "no tokenizer": lambda folder: (folder / "tokenizer.json").unlink(),
    "configuration garbage": _content("config.json", b"{"),
    "configuration a list": _content("config.json", b"[]"),
    "unknown type": _config(model_type="foobar"),
    "type without adapter": _config(model_type="gpt2"),
    "other depth": _config(num_hidden_layers=2),
    "more layers than weights": _config(num_hidden_layers=6),
    "other width": _config(hidden_size=32),
    "width is text": _config(hidden_size="x"),
    "unknown exit state": _config(exit_state="max"),
    "unknown pooler": _config(pooler="own"),
    "weights empty": _content("model.safetensors", b""),
    "weights garbage": _content("model.safetensors", b"x" * 5000),
    "weights cut": _cut("model.safetensors", 0.5),
    "weights cut at the end": _cut("model.safetensors", 0.99),
    "weights NaN": _weights(lambda w: {k: v * float("nan") for k, v in w.items()}),
    "one weight infinite": _weights(lambda w: {k: v + (float("inf") if "layer.1" in k else 0) for k, v in w.items()}),
    "weights lack some": _weights(lambda w: dict(list(w.items())[5:])),
    "pooler untrained": _weights(lambda w: {k: v * (0 if "pooler" in k else 1) for k, v in w.items()}),
    "tokenizer garbage": _content("tokenizer.json", b"{}"),
    "tokenizer cut": _cut("tokenizer.json", 0.5),
    "tokenizer without words": lambda folder: (folder / "tokenizer.json").write_text(
        (folder / "tokenizer.json")
        .read_text()
        .replace('"film"', '"x1"')
        .replace('"the"', '"x2"')
        .replace('"was"', '"x3"')
        .replace('"good"', '"x4"')
        .replace('"people"', '"x5"')
    ),
    "code of its own": _code,
    "tokenizer of another encoder": lambda folder: mpnet_tokenizer().save(str(folder / "tokenizer.json")),
    "fewer ids than the tokenizer": lambda folder: shutil.copytree(
        write_backbone(folder / "less", "bert", vocab_size=9), folder, dirs_exist_ok=True
    ),
}


def backbone(change: Callable[[Path], object], folder: Path) -> None:
    """Fetch a changed encoder folder, and use it."""
    source = write_backbone(folder / "source", "bert")
    change(source)
    fetch_backbone(str(source), None, folder / "encoder")
    check_layers(folder / "encoder", 4)
    load_backbone(folder / "encoder")
    _encode(cut_splits(rows(), TASKS["sst2"], "heldout", 0.1, 2000, None, 1), folder)


def cases() -> Iterator[Case]:
    """Every wrong set of examples, and every wrong encoder."""
    for table, good in ((ROWS, False), (GOOD_ROWS, True)):
        for name, change in table.items():
            yield Case(DATA, name, partial(download, change), good)
    for name, content in FILES.items():
        yield Case(DATA, f"a shard: {name}", partial(shard, content, 0.0))
    for share in (0.1, 0.5, 0.9, 0.99):
        yield Case(DATA, f"a shard cut at {share:.0%}", partial(shard, None, share))
    yield Case(ENCODER, "as it is", partial(backbone, lambda folder: None), good=True)
    for name, change in ENCODERS.items():
        yield Case(ENCODER, name, partial(backbone, change))
