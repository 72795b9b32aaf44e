import pandas as pd

from cosee.tables import verdict_sentences

ROWS = {
    "gpfee": ("GPFEE", -1.2, -2.0, -0.4, 0.01, "worse"),
    "deebert": ("DeeBERT", -5.0, -6.5, -3.5, 0.001, "worse"),
    "palbert": ("PALBERT", 1.1, 0.2, 2.0, 0.02, "better"),
    "half": ("Half depth", 0.3, -0.4, 1.0, 0.4, "no verdict"),
    "pabee": ("PABEE", -0.9, None, None, None, "no verdict"),
    "fpabee": ("F-PABEE", None, None, None, None, "no verdict"),
}


def table_of(variants, tasks=("sst2", "rte")):
    shared = {"reference_name": "COSEE", "target_speedup": 2.0}
    columns = ("name", "difference", "low", "high", "p_value", "verdict")
    rows = []
    for variant in variants:
        numbers = dict(zip(columns, ROWS[variant], strict=True)) | shared
        for task in (*tasks, "average"):
            rows += [numbers | {"task": task, "view": view} for view in ("matched", "deployed")]
    return pd.DataFrame(rows, columns=[*columns, *shared, "task", "view"])


def test_sentences_say_who_is_ahead_by_how_much_and_on_whom_there_is_no_verdict():
    assert verdict_sentences(table_of(ROWS)) == [
        "At 2× and equal mean exit layer, on average over two tasks, COSEE is ahead of GPFEE (+1.2 [+0.4, +2.0]) and "
        "DeeBERT (+5.0 [+3.5, +6.5]).",
        "At 2× and equal mean exit layer, on average over two tasks, COSEE is behind PALBERT (-1.1 [-2.0, -0.2]).",
        "At 2× and equal mean exit layer, on average over two tasks, there is no verdict on Half depth (-0.3 [-1.0, "
        "+0.4]).",
        "Fewer than three seeds, hence no verdict: PABEE.",
        "Some curve ends before 2×: F-PABEE.",
    ]


def test_only_what_there_is_is_said():
    assert verdict_sentences(table_of(["gpfee"], tasks=("sst2",))) == [
        "At 2× and equal mean exit layer, on one task, COSEE is ahead of GPFEE (+1.2 [+0.4, +2.0])."
    ]
    assert verdict_sentences(table_of(["pabee"])) == ["Fewer than three seeds, hence no verdict: PABEE."]


def test_without_an_average_nothing_is_ranked():
    table = table_of(["gpfee"])
    (sentence,) = verdict_sentences(table[table["task"] != "average"])
    assert "there is no verdict" in sentence and "GPFEE" not in sentence
