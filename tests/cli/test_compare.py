"""`cosee compare`: the tables of one's own runs; what is computed is tested in tests/runs and tests/tables."""

import pytest

from cosee.io import read_frame


def test_a_run_beside_its_own_published_outputs(made, call):
    code, out, err = call("compare runs/mine --published published/mine --speedups 2")
    assert code == 0 and not err
    assert "| 1      | cosee (energy), yours |" in out and "Fewer than three seeds, hence no verdict" in out


def test_the_files_have_every_speedup(made):
    scores, differences = (read_frame(made / f"comparison/{name}.csv") for name in ("scores", "differences"))
    assert set(scores["target_speedup"]) == {2.0, 3.0} and "ours" in set(scores["entrant"])
    assert set(differences["reference"]) == {"ours"} and differences["low"].isna().all()
    text = (made / "comparison/comparison.md").read_text()
    assert "Entrants at 2×" in text and "Entrants at 3×" in text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("runs/mine --published nowhere", "nowhere: holds no published runs"),
        ("nowhere --published published/mine", "run.json: no such file."),
        (
            "runs/mine --published published/mine --speedups 0.5",
            "--speedups: expected a number from 1 on, got '0.5'",
        ),
        ("runs/mine --published published/mine --split held", "no outputs on held; predict them."),
        ("runs/mine runs/mine --published published/mine", "the same run"),
    ],
)
def test_wrong_input(line, message, refused, made):
    assert message in refused(f"compare {line}")
