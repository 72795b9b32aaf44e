"""Damaged and foreign files between the steps, and whoever reads them."""

import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from faults.outcomes import Case
from helpers import frames
from helpers.presets import read, with_own_search

from cosee.cli import main
from cosee.data.tokens import load_tokens, save_tokens
from cosee.evaluation.frames import CURVE
from cosee.evaluation.outputs import load_outputs, save_outputs
from cosee.io import read_frame, read_frames, read_yaml
from cosee.plan.configuration import configuration
from cosee.plan.runs import final_runs
from cosee.plan.search import at_chosen_point
from cosee.runs.published import published_outputs, published_runs

KIND = "intermediate file"
BASE = "--backbone resources/backbones/bert"
TOKENS = "resources/tokens/bert/sst2.npz"
Change = Callable[[Path], object]


def cut(share: float) -> Change:
    """The file ends too early."""
    return lambda file: file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])


def flip(file: Path) -> None:
    """Some bytes in the middle are others."""
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(byte ^ 0x5A for byte in content[middle : middle + 40])
    file.write_bytes(content)


ANY: dict[str, Change] = {
    "missing": Path.unlink,
    "empty": lambda file: file.write_bytes(b""),
    "garbage": lambda file: file.write_bytes(bytes(range(256)) * 20),
    "cut in half": cut(0.5),
    "cut at the end": cut(0.995),
    "text of another kind": lambda file: file.write_text("hello: [1\n"),
}
"""Damage of any file."""

READERS = {
    "runs/mine/run.json": "sweep runs/mine --out new.csv",
    "runs/mine/logits-dev.npz": "sweep runs/mine --out new.csv",
    "runs/mine/logits-sel.npz": f"export runs/mine {BASE} --out new",
    "runs/mine/model.safetensors": f"export runs/mine {BASE} --out new",
    "runs/mine/history.csv": "publish runs/mine --collection new",
    TOKENS: f"predict runs/mine --tokens {TOKENS} {BASE} --out new.npz",
    "exported/config.json": "classify exported reviews.txt",
    "exported/model.safetensors": "classify exported reviews.txt",
    "exported/tokenizer.json": "classify exported reviews.txt",
}
"""File -> a command that reads it."""


def json_of(**changes: object) -> Change:
    """The JSON object says something else."""
    return lambda file: file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def text(content: str) -> Change:
    """The file has another content."""
    return lambda file: file.write_text(content)


def outputs_with(**changes: object) -> Change:
    """The stored outputs have other arrays."""
    return lambda file: save_outputs(file, replace(load_outputs(file), **changes))


def tokens_with(split: str, **changes: object) -> Change:
    """The token ids of a split have other arrays."""

    def change(file: Path) -> None:
        tokens = load_tokens(file)
        save_tokens(file, tokens | {split: replace(tokens[split], **changes)})

    return change


def _facts(**changes: object) -> Change:
    def change(file: Path) -> None:
        facts = json.loads(file.read_text())
        file.write_text(json.dumps(facts | {"run": facts["run"] | changes}))

    return change


SPECIAL: tuple[tuple[str, str, Change], ...] = (
    *(("runs/mine/run.json", name, text(name)) for name in ("{}", "[]", "null", "3", '"x"', "[" * 100_000)),
    ("runs/mine/run.json", "run is text", json_of(run="x")),
    ("runs/mine/run.json", "run is empty", json_of(run={})),
    ("runs/mine/run.json", "method is null", json_of(method=None)),
    ("runs/mine/run.json", "selection_split is a number", json_of(selection_split=3)),
    ("runs/mine/run.json", "selection_split is unknown", json_of(selection_split="none")),
    ("runs/mine/run.json", "unknown task", _facts(task="cola")),
    ("runs/mine/run.json", "unknown rule", _facts(rule="none")),
    ("runs/mine/logits-dev.npz", "text", outputs_with(logits=np.full((20, 4, 2), "x"))),
    ("runs/mine/logits-dev.npz", "labels 9", outputs_with(labels=np.full(20, 9))),
    ("runs/mine/logits-dev.npz", "no labels", outputs_with(labels=np.full(20, -1))),
    (
        "runs/mine/logits-dev.npz",
        "no rows",
        outputs_with(logits=np.zeros((0, 4, 2)), labels=np.zeros(0, int), idx=np.zeros(0, int)),
    ),
    ("runs/mine/logits-dev.npz", "costs short", outputs_with(exit_costs=(1.0, 2.0))),
    ("runs/mine/logits-dev.npz", "costs negative", outputs_with(exit_costs=(1.0, 2.0, -3.0, 4.0))),
    ("runs/mine/logits-dev.npz", "depths beyond the encoder", outputs_with(exit_depths=(1, 2, 3, 9))),
    ("runs/mine/logits-dev.npz", "token ids", lambda file: file.write_bytes(Path(TOKENS).read_bytes())),
    (TOKENS, "ids negative", tokens_with("dev", ids=np.full(10_000, -1, np.int32))),
    (TOKENS, "ids beyond the vocabulary", lambda file: _raise_ids(file)),
    (TOKENS, "offsets decreasing", tokens_with("dev", offsets=np.arange(21)[::-1])),
    (TOKENS, "labels short", tokens_with("dev", labels=np.zeros(3, int))),
    (TOKENS, "labels as text", tokens_with("dev", labels=np.full(20, "x"))),
    (TOKENS, "outputs of a run", lambda file: file.write_bytes(Path("runs/mine/logits-dev.npz").read_bytes())),
    (TOKENS, "of another task", lambda file: save_tokens(file, load_tokens(file), "rte")),
    (TOKENS, "of another tokenizer", lambda file: save_tokens(file, load_tokens(file), "sst2", "other/tokenizer.json")),
)
"""File -> damage that keeps its format."""


def _raise_ids(file: Path) -> None:
    tokens = load_tokens(file)
    save_tokens(file, {name: replace(split, ids=split.ids + 10_000) for name, split in tokens.items()})


def damaged(file: str, change: Change, folder: Path) -> int:
    """Damage a file, then run the command that reads it."""
    change(folder / file)
    return main(shlex.split(READERS[file]))


SELECTIONS = {
    "no `chosen`": "x: 1\n",
    "`chosen` null": "chosen:\n",
    "`chosen` a list": "chosen: [1]\n",
    "another variant only": "chosen: {vanilla: {point: {}}}\n",
    "no point": "chosen: {cosee-energy: {score: 1}}\n",
    "point null": "chosen: {cosee-energy: {point: null}}\n",
    "foreign point": "chosen: {cosee-energy: {point: {beta0: 7.0}}}\n",
    "point of another axis": "chosen: {cosee-energy: {point: {learning_rate: 7.0}}}\n",
    "a list": "- 1\n",
    "empty": "",
    "a key twice": "chosen: {cosee-energy: {point: {beta0: 0.2}}}\nchosen: {cosee-energy: {point: {beta0: 1.0}}}\n",
}
"""Content of best.yaml."""


def selected(content: str, folder: Path) -> None:
    """A final training reads its grid point."""
    (folder / "best.yaml").write_text(content)
    config = configuration(with_own_search(read("config")))
    run = next(run for run in final_runs(config) if run.name == "cosee-energy")
    at_chosen_point(config, run, read_yaml(folder / "best.yaml").get("chosen"))


def curves(change: Change, folder: Path) -> None:
    """A table reads trade-off curves."""
    curve = frames.tradeoff(("sst2",), ("cosee",), seeds=(1,))
    curve.to_csv(folder / "good.csv", index=False)
    curve.to_csv(folder / "bad.csv", index=False)
    change(folder / "bad.csv")
    read_frames([folder / "good.csv", folder / "bad.csv"], CURVE)


def history(content: str, folder: Path) -> None:
    """Figure 6 reads a history."""
    (folder / "history.csv").write_text(content)
    read_frame(folder / "history.csv", ("step", "loss", "mean_ce"))


def collection(change: Change, folder: Path) -> None:
    """The workflow reads published runs."""
    assert main(["publish", "runs/mine", "--collection", "collection"]) == 0
    (file,) = [file for file in Path("collection").rglob("*.npz") if file.name != "labels.npz"]
    change(file)
    for run in published_runs("collection"):
        published_outputs(run)


def manifest(content: str, folder: Path) -> int:
    """The export reads a manifest."""
    (folder / "manifest.json").write_text(content)
    return main(shlex.split(f"export runs/mine {BASE} --out new --manifest manifest.json"))


def cases() -> Iterator[Case]:
    """Every file and damage."""
    for file in READERS:
        for name, change in ANY.items():
            if (file, name) == ("runs/mine/history.csv", "cut in half"):
                continue  # by chance at the end of a line
            yield Case(KIND, f"{file}: {name}", partial(damaged, file, change))
    for file, name, change in SPECIAL:
        yield Case(KIND, f"{file}: {name}"[:80], partial(damaged, file, change))
    for file in ("runs/mine/logits-dev.npz", TOKENS):  # safetensors has no checksum
        yield Case(KIND, f"{file}: bytes flipped", partial(damaged, file, flip))
    for name, content in SELECTIONS.items():
        yield Case(KIND, f"best.yaml: {name}", partial(selected, content))
    right = "chosen: {cosee-energy: {point: {beta0: 0.2}}}\n"
    yield Case(KIND, "best.yaml: right", partial(selected, right), good=True)
    for name, change in (ANY | {"other columns": text("x,y\n1,2\n"), "cut in a line": cut(0.501)}).items():
        if name != "cut in half":
            yield Case(KIND, f"tradeoff.csv: {name}", partial(curves, change))
    for name, content in {"other columns": "x\n1\n", "empty": "", "no column of the loss": "step,epoch\n1,1\n"}.items():
        yield Case(KIND, f"history.csv of a figure: {name}", partial(history, content))
    for name in ("empty", "garbage", "cut in half", "cut at the end"):
        yield Case(KIND, f"published run: {name}", partial(collection, ANY[name]))
    for content in ("[]", "{}", '{"runs": 3}', '{"runs": [1, 2]}', '{"runs": {}}', "null", "{"):
        yield Case(KIND, f"manifest.json: {content}", partial(manifest, content))
