"""`cosee classify`: texts in, answers out, in order, as a stream."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from cosee.export.hf_model import EarlyExitForSequenceClassification

ROOT = Path(__file__).parents[2]
HEADER = "label,confidence,exit_layer"


def expected(folder, *columns, speedup=None):
    """What the model in a folder says of each text (or pair) alone, as saved or at a speed-up."""
    from transformers import AutoTokenizer

    model, tokenizer = EarlyExitForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    if speedup:
        model.set_speedup(speedup)
    answers = []
    for texts in zip(*columns, strict=True):
        output = model(**tokenizer(*texts, return_tensors="pt"))
        probability = output.logits.softmax(-1).max()
        label = model.config.id2label[int(output.logits.argmax())]
        answers.append((label, pytest.approx(float(probability), abs=2e-6), int(output.exit_layers) + 1))
    return answers


def rows_of(text):
    header, *rows = text.splitlines()
    assert header == HEADER
    split = [row.split(",") for row in rows]
    return [(label, float(confidence), int(layer)) for label, confidence, layer in split]


def test_lines_are_answered_in_order_whatever_the_batch(call, made):
    texts = (made / "reviews.txt").read_text().splitlines()
    answers = expected(made / "exported", texts, speedup=3.0)
    assert len({layer for *_, layer in answers}) > 1
    for size in (1, 7, 64):
        code, out, err = call(f"classify exported reviews.txt --speedup 3 --batch-size {size}")
        assert (code, err) == (0, "") and rows_of(out) == answers


def test_columns_are_answered_as_pairs(made):
    pairs = pd.read_csv(made / "pairs.csv")
    answers = expected(made / "entailment", pairs["sentence1"], pairs["sentence2"])
    assert rows_of((made / "answers.csv").read_text()) == answers


def test_a_risk(call, made, refused):
    model = EarlyExitForSequenceClassification.from_pretrained(made / "exported")
    layers = []
    for level in (0.05, 0.6):
        row = model.set_risk(level)
        threshold = row["threshold"]
        _, out, _ = call(f"classify exported reviews.txt --risk {level}")
        if threshold is not None:
            assert out == call(f"classify exported reviews.txt --threshold {threshold!r}").out
        layers.append(sum(layer for *_, layer in rows_of(out)))
    assert layers[0] >= layers[1]
    answer = refused("classify exported reviews.txt --risk 0.01")
    assert "a risk of 0.01 needs 230 calibration examples or more with confidence 0.9, and there are 60" in answer
    assert "the model has no certified thresholds" in refused(
        "classify entailment pairs.csv --column sentence1 --pair-column sentence2 --risk 0.05"
    )


def test_a_threshold(call, made):
    _, out, _ = call("classify exported reviews.txt --threshold 1")
    assert {layer for *_, layer in rows_of(out)} == {1}


def test_odd_but_good_input(call, made, tmp_path):
    (tmp_path / "lines.txt").write_text("\ufeffthe film\r\n\r\n\u2028not good", encoding="utf-8")
    _, out, _ = call(f"classify exported {tmp_path}/lines.txt")
    assert rows_of(out) == expected(made / "exported", ["the film", "", "\u2028not good"])
    (tmp_path / "quoted.csv").write_text('a,text\n1,"good, very\n""great"""\n2,\n')
    _, out, _ = call(f"classify exported {tmp_path}/quoted.csv --column text")
    assert rows_of(out) == expected(made / "exported", ['good, very\n"great"', ""])
    (tmp_path / "header.csv").write_text("text\n")
    assert call(f"classify exported {tmp_path}/header.csv --column text") == (0, HEADER + "\n", "")
    assert call("classify exported /dev/null") == (0, HEADER + "\n", "")


def test_no_answers_are_better_than_half_of_them(refused, made, tmp_path):
    (tmp_path / "short.csv").write_text("n,text\n1,good\n2\n")
    line = f"classify exported {tmp_path}/short.csv --column text --batch-size 1 --out {tmp_path}/out.csv"
    assert "line 3: ends before the column 'text'" in refused(line)
    assert [entry.name for entry in tmp_path.iterdir()] == ["short.csv"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("exported none.txt", "none.txt: No such file or directory"),
        ("exported pairs.csv --column text", "no column 'text'; the columns are 'n', 'sentence1', 'sentence2'."),
        ("exported /dev/null --column text", "no column 'text'; the columns are none."),
        ("exported pairs.csv --pair-column n", "name the first with --column"),
        ("exported pairs.csv --column sentence1 --pair-column sentence2", "classifies single texts (sentence); omit"),
        ("entailment pairs.csv --column n", "classifies pairs (sentence1 and sentence2); name the two columns"),
        ("entailment reviews.txt", "classifies pairs (sentence1 and sentence2); name the two columns"),
        ("exported resources/tokens/bert/sst2.npz", "sst2.npz: not UTF-8 text"),
        ("exported reviews.txt --speedup 9", "operating points from 1x to 4x"),
        ("exported reviews.txt --speedup inf", "nothing within 5% of infx; it gives "),
        ("exported reviews.txt --speedup -1", "nothing within 5% of -1x; it gives "),
        (f"exported reviews.txt --batch-size {10**30}", "expected a whole number up to 1,000,000,000, got"),
        ("exported reviews.txt --out reviews.txt", "--out reviews.txt: is the input, which would be lost"),
        ("exported reviews.txt --out .", "is a folder"),
        ("exported reviews.txt --out /dev/full", "/dev/full: the disk is full"),
        ("exported reviews.txt --threshold 2", "scores lie between 0 and 1"),
        ("exported reviews.txt --speedup 2 --threshold 0.3", "not allowed with argument"),
        ("exported reviews.txt --batch-size 0", "expected a whole number above 0, got '0'"),
        ("none reviews.txt", "none/config.json: no such file"),
        ("resources/backbones/bert reviews.txt", "not a model that `cosee export` wrote"),
    ],
)
def test_wrong_input(line, message, call, made):
    code, out, err = call(f"classify {line}")
    last = err.splitlines()[-1]
    assert code == 2 and last.startswith("cosee classify: error: ") and message in last
    assert out in ("", HEADER + "\n")


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
def test_damaged_models(file, refused, made, tmp_path):
    shutil.copytree(made / "exported", tmp_path / "model")
    (tmp_path / "model" / file).write_bytes((made / "exported" / file).read_bytes()[:-50])
    assert "model: cannot be loaded (" in refused(f"classify {tmp_path}/model reviews.txt")


def test_progress_is_shown_on_a_terminal(call, made, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    code, out, err = call(f"classify exported reviews.txt --out {tmp_path}/x.csv")
    assert code == 0 and not out and "50 rows" in err


def test_a_stream_is_answered_as_it_comes_and_ends_quietly(made):
    command = [sys.executable, "-m", "cosee", "classify", str(made / "exported"), "--batch-size", "1"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, **pipes) as process:
        for number in range(2):
            process.stdin.write("the film was good\n")
            process.stdin.flush()
            if number == 0:
                assert process.stdout.readline() == HEADER + "\n"
            assert process.stdout.readline().count(",") == 2  # while more may come
        process.stdout.close()  # as `head` does
        process.stdin.write("the film was good\n")
        process.stdin.close()
        assert process.stderr.read() == ""
        assert process.wait() == 141


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("n,text\n1,good\n\n2,bad\n", 'line 3: is blank; remove it, or write an empty text as "".'),
        ('n,text\n1,"good\n2,bad\n', "not CSV (unexpected end of data)"),
        ('n,text\n1,"good\n2,bad"\n3,"fine",slow\n', "line 4: has 3 fields, but the header 2"),
        ("text,text\ngood,bad\n", "the header names 2 columns 'text'"),
    ],
)
def test_no_row_of_a_csv_file_is_dropped_in_silence(content, message, refused, made, tmp_path):
    (tmp_path / "odd.csv").write_text(content)
    assert message in refused(f"classify exported {tmp_path}/odd.csv --column text --out {tmp_path}/out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_blank_lines_at_the_end_of_a_csv_file_are_no_rows(call, made, tmp_path):
    (tmp_path / "end.csv").write_text('text\ngood\n""\n\n\n')
    code, out, _ = call(f"classify exported {tmp_path}/end.csv --column text")
    assert code == 0 and len(rows_of(out)) == 2


def test_answers_go_through_a_link_and_into_a_pipe(call, made, tmp_path):
    (tmp_path / "link.csv").symlink_to(tmp_path / "answers.csv")
    assert call(f"classify exported reviews.txt --out {tmp_path}/link.csv").code == 0
    assert (tmp_path / "link.csv").is_symlink() and len(rows_of((tmp_path / "answers.csv").read_text())) == 50


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_closed_streams(stream, made):
    closed = {"stdin": "<&-", "stdout": ">&- </dev/null"}[stream]
    command = f"exec {sys.executable} -m cosee classify {made / 'exported'} {closed}"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"cosee classify: error: {stream}: is closed; ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rule": "none"}, "exit rule 'none' is unknown"),
        ({"threshold": "0.5"}, "threshold is '0.5'; expected a number, or null"),
        ({"tradeoff": [{}]}, "{} is no row of a trade-off table"),
        ({"check_every": 0}, "check_every is 0"),
        ({"columns": []}, "columns is []; expected one or two names"),
        ({"id2label": {"0": "a"}}, "cannot be loaded"),
        ({"encoder": None}, "cannot be loaded"),
        ({"method": "none"}, "cannot be loaded"),
    ],
)
def test_wrong_settings_of_a_model(changes, message, refused, made, tmp_path):
    shutil.copytree(made / "exported", tmp_path / "model")
    config = json.loads((tmp_path / "model/config.json").read_text())
    (tmp_path / "model/config.json").write_text(json.dumps(config | changes))
    assert message in refused(f"classify {tmp_path}/model reviews.txt")


def test_weights_that_are_missing_are_not_drawn_at_random(refused, made, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(made / "exported", tmp_path / "model")
    weights = load_file(made / "exported/model.safetensors")
    del weights["model.backbone.encoder.pooler.dense.weight"]
    save_file(weights, tmp_path / "model/model.safetensors", {"format": "pt"})
    assert "its weights lack model.backbone.encoder.pooler.dense.weight" in refused(
        f"classify {tmp_path}/model reviews.txt"
    )


def test_weights_that_are_no_numbers_and_a_foreign_tokenizer(refused, made, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(made / "exported", tmp_path / "nan")
    weights = load_file(tmp_path / "nan/model.safetensors")
    save_file({k: v * float("nan") for k, v in weights.items()}, tmp_path / "nan/model.safetensors", {"format": "pt"})
    assert "are not all finite numbers" in refused(f"classify {tmp_path}/nan reviews.txt")
    shutil.copytree(made / "exported", tmp_path / "ids")
    own = json.loads((tmp_path / "ids/tokenizer.json").read_text())
    own["model"]["vocab"]["good"] = 999
    (tmp_path / "ids/tokenizer.json").write_text(json.dumps(own))
    assert "its tokenizer has ids up to 999" in refused(f"classify {tmp_path}/ids reviews.txt")
