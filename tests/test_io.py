"""Formats: what is written is read, what is damaged is named."""

import json
import os

import numpy as np
import pandas as pd
import pytest

from cosee import io
from cosee.errors import InputError

WRITERS = {
    "a.npz": lambda path, n: io.save_arrays(path, {"x": np.arange(100 * n), "y": np.ones((n, 2))}),
    "a.json": lambda path, n: io.write_json(path, {"x": list(range(n)), "name": "β"}),
    "a.yaml": lambda path, n: io.write_yaml(path, {"x": list(range(n)), "name": "β"}),
    "a.csv": lambda path, n: io.write_frame(path, pd.DataFrame({"x": range(n), "name": "none"})),
    "a.parquet": lambda path, n: io.write_frame(path, pd.DataFrame({"x": range(n), "name": "none"})),
}
READERS = {
    "a.npz": io.load_arrays,
    "a.json": io.read_json,
    "a.yaml": io.read_yaml,
    "a.csv": io.read_frame,
    "a.parquet": io.read_frame,
}
EACH = pytest.mark.parametrize("name", WRITERS)


@EACH
def test_what_is_written_is_read(name, tmp_path):
    WRITERS[name](tmp_path / name, 3)
    content = READERS[name](tmp_path / name)
    if name == "a.npz":
        assert np.array_equal(content["x"], np.arange(300)) and np.array_equal(content["y"], np.ones((3, 2)))
    elif name in ("a.json", "a.yaml"):
        assert content == {"x": [0, 1, 2], "name": "β"}
    else:
        assert content.to_dict("list") == {"x": [0, 1, 2], "name": ["none"] * 3}


@EACH
def test_folders_are_made_and_nothing_else_is_left(name, tmp_path):
    WRITERS[name](tmp_path / "new" / "folder" / name, 3)
    assert [file.name for file in (tmp_path / "new" / "folder").iterdir()] == [name]


@EACH
def test_an_interrupted_write_leaves_the_old_file_and_no_other(name, tmp_path, monkeypatch):
    WRITERS[name](tmp_path / name, 3)
    before = (tmp_path / name).read_bytes()

    def interrupted(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        WRITERS[name](tmp_path / name, 9)
    assert (tmp_path / name).read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [name]


@EACH
def test_a_missing_file_is_named(name, tmp_path):
    with pytest.raises(InputError, match=f"{name}: no such file"):
        READERS[name](tmp_path / name)


@pytest.mark.parametrize("name", ["a.npz", "a.parquet"])
@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.7, 0.99])
def test_a_truncated_binary_file_is_named(name, share, tmp_path):
    WRITERS[name](tmp_path / name, 50)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=rf"{name}: truncated"):
        READERS[name](tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b'{"x": [0, 1'),
        ("a.json", b"\xff\xfe"),
        ("a.yaml", b"x: [0, 1"),
        ("a.yaml", b"\xff\xfe\xff"),
        ("a.yaml", b"- only\n- a list\n"),
        ("a.yaml", b""),
        ("a.csv", b""),
        ("a.csv", b"x,y\n1,2\n1,2,3\n"),
        ("a.csv", b"x,y\n\xff\xfe,1\n"),
        ("a.npz", b"PK\x03\x04 and then something else"),
    ],
)
def test_a_damaged_file_is_named(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name) as caught:
        READERS[name](tmp_path / name)
    assert "\n" not in str(caught.value)


def test_pickles_and_single_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([{"code": "runs"}], dtype=object))
    with pytest.raises(InputError, match=r"a\.npz"):
        io.load_arrays(tmp_path / "a.npz")
    with open(tmp_path / "b.npz", "wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(InputError, match=r"b\.npz"):
        io.load_arrays(tmp_path / "b.npz")


def test_csv_keeps_floats_and_words_as_they_are(tmp_path):
    floats = np.random.default_rng(0).random(500) * 10.0 ** np.random.default_rng(1).integers(-12, 12, 500)
    frame = pd.DataFrame({"x": floats, "exit_rule": ["none", "NA", "null", "nan", "energy"] * 100})
    frame.loc[3, "x"] = np.nan
    io.write_frame(tmp_path / "a.csv", frame)
    pd.testing.assert_frame_equal(io.read_frame(tmp_path / "a.csv"), frame, check_exact=True)


def test_text_files_end_in_one_newline(tmp_path):
    io.write_text(tmp_path / "a.txt", "a\n\n\n")
    assert (tmp_path / "a.txt").read_bytes() == b"a\n"
    io.write_json(tmp_path / "a.json", {"b": 1, "a": tmp_path})
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": 1, "a": str(tmp_path)}
    io.write_yaml(tmp_path / "a.yaml", {"b": 1, "a": 2})
    assert (tmp_path / "a.yaml").read_text() == "b: 1\na: 2\n"


@pytest.mark.parametrize("text", ["[]", "null", "3", '"text"', "[" * 100_000])
def test_json_that_is_no_object_is_refused(text, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=r"a\.json: (expected a JSON object|truncated or not JSON)"):
        io.read_json(tmp_path / "a.json")


def test_a_csv_file_that_was_cut_or_is_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    io.write_frame(path, pd.DataFrame({"x": [1, 20], "y": [3, 40]}))
    assert io.read_frame(path, ["x", "y"]).shape == (2, 2)
    with pytest.raises(InputError, match=r"a\.csv: lacks the column 'speedup'"):
        io.read_frames([path], ["x", "speedup"])
    path.write_text(path.read_text()[:-2])
    with pytest.raises(InputError, match=r"a\.csv: truncated"):
        io.read_frame(path)


def test_a_key_twice_in_yaml_is_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("a: {b: 1, c: 2, b: 3}\n")
    with pytest.raises(InputError, match=r"a\.yaml: not YAML \(the key 'b' is there twice"):
        io.read_yaml(tmp_path / "a.yaml")
