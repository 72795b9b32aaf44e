import pandas as pd

from cosee.io import read_frame
from cosee.tables import to_latex, to_markdown, write_table


def test_a_table_is_written_in_three_forms(tmp_path):
    table, wide = pd.DataFrame({"score": [0.25, 0.5]}), pd.DataFrame({"Score": ["25.0", "50.0"]})
    outputs = {kind: str(tmp_path / f"table.{kind}") for kind in ("csv", "md", "tex", "png")}
    write_table(outputs, table, wide, "Scores.", "scores")
    pd.testing.assert_frame_equal(read_frame(outputs["csv"]), table)
    assert (tmp_path / "table.md").read_text() == to_markdown(wide, "Scores.")
    assert (tmp_path / "table.tex").read_text() == to_latex(wide, "Scores.", "tab:scores")
    assert not (tmp_path / "table.png").exists()
