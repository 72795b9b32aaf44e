"""`cosee replicate`: two folders, or two groups of seeds; what is counted is tested in tests/evaluation."""

import pytest

from cosee.io import read_frame


def test_two_folders_are_compared(made, call):
    table = read_frame(made / "replication.csv")
    assert set(table["table"]) == {"differences, matched", "differences, deployed", "differences, declared"}
    assert list(zip(table["estimates_of"], table["intervals_of"], strict=True)) == 3 * [
        ("server", "laptop"),
        ("laptop", "server"),
    ]
    declared = table[table["table"] == "differences, declared"]
    assert (declared["kept"] == 1).all() and (declared["verdicts"] == 1).all()
    code, out, err = call("replicate laptop server")
    assert code == 0 and not err and len(out.splitlines()) == 7 and "100%" in out


def test_two_groups_of_seeds_are_compared_from_stored_outputs(made, call, tmp_path):
    code, out, err = call(f"replicate laptop --seeds 0 1 2 --against 3 4 5 --out {tmp_path}/seeds.csv")
    assert code == 0 and not err and "seeds 3 4 5" in out
    table = read_frame(tmp_path / "seeds.csv")
    assert set(table["table"]) == {"differences, matched", "differences, declared"}
    assert (table["estimates"] > 0).all() and (table["contradicted"].fillna(0) == 0).all()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("laptop", "give a second folder, or --seeds and --against."),
        ("laptop server --seeds 0 --against 1", "give a second folder, or --seeds and --against."),
        ("laptop --seeds 0 1 2", "give a second folder, or --seeds and --against."),
        ("laptop resources", "resources: no tables with estimates"),
        ("resources --seeds 0 --against 1", "resources/results/manifest.json: no such file."),
        ("laptop --seeds 0 1 2 --against 3 9 8", "laptop: no runs with seed 8, 9; choose among those it has."),
        ("laptop --seeds 0 1 --against 2 3", "no estimate with an interval is in both"),
    ],
)
def test_wrong_input(line, message, refused, made):
    assert message in refused(f"replicate {line}")
