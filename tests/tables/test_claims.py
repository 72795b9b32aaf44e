"""Verdicts on claims: in the predicted direction, against it, no effect within the margin, or none."""

import pytest
from helpers.presets import CONFIGS

from cosee.cli import main
from cosee.errors import InputError
from cosee.evaluation.intervals import Estimate
from cosee.plan.claims import Claim, Test
from cosee.tables.claims import document, outcomes, summary, with_summary

PROJECT = CONFIGS.parent


def claim(name="a", number=1, **test):
    fields = {"collection": "c", "backbone": "bert", "tasks": ["sst2"], "measure": "score"}
    fields |= {"variant": "x (energy)", "reference": "y (energy)"}
    tests = [Test(**fields | test) for _ in range(number)]
    return Claim(id=name, claim=f"Claim {name}.", source="§1", tests=tests)


def estimate(value, error):
    return Estimate(value, error**2, 20, 0.0, 1.0)


@pytest.mark.parametrize(
    ("value", "error", "expected", "verdict"),
    [
        (2.0, 0.3, "higher", "supported"),
        (-2.0, 0.3, "higher", "contradicted"),
        (-2.0, 0.3, "lower", "supported"),
        (2.0, 0.3, "lower", "contradicted"),
        (0.1, 0.1, "higher", "no effect"),
        (0.5, 1.0, "higher", "no verdict"),
    ],
)
def test_verdicts(value, error, expected, verdict):
    table = outcomes([claim(expected=expected)], {("a", 0): (estimate(value, error), 5)})
    assert table["verdict"].tolist() == [verdict]


def test_p_values_are_adjusted_within_a_collection():
    p = estimate(2.0, 0.85).p_value()
    assert 0.025 < p < 0.05
    known = {(name, 0): (estimate(2.0, 0.85), 5) for name in "ab"}
    together = outcomes([claim("a"), claim("b")], known)
    apart = outcomes([claim("a"), claim("b", collection="d")], known)
    assert together["p_holm"].tolist() == pytest.approx([2 * p, 2 * p]) and set(together["verdict"]) == {"no verdict"}
    assert apart["p_holm"].tolist() == pytest.approx([p, p]) and set(apart["verdict"]) == {"supported"}


def test_few_seeds_have_an_effect_without_a_verdict():
    table = outcomes([claim()], {("a", 0): (Estimate(3.0), 2)})
    assert table["effect"].tolist() == [3.0] and table["verdict"].tolist() == ["no verdict"]


def test_claims_without_runs_are_listed_too():
    others = [
        Claim(id="s", claim="S.", source="§2", settled="arithmetic"),
        Claim(id="o", claim="O.", source="§3", open="a GPU"),
    ]
    claims = [claim(number=2), *others]
    table = outcomes(claims, {})
    assert table["verdict"].tolist() == [*2 * ["runs not published yet"], "settled without runs", "not tested"]
    text = document(claims, table)
    assert "runs not published yet (2 tests)" in text and "Settled without runs: arithmetic" in text


def test_the_document_says_what_was_measured():
    claims = [claim(speedups=[2.0, 3.0])]
    text = document(claims, outcomes(claims, {("a", 0): (estimate(2.0, 0.3), 5)}))
    assert "score, x (energy) minus y (energy) at 2×, 3× (`c`, bert, sst2 dev), 5 seeds: +2.00 [+1.37, +2.63]" in text
    assert text.count("**supported**") == 1


def test_the_kept_document_is_that_of_the_published_runs(tmp_path, capsys):
    files = f"--claims {CONFIGS / 'claims.yaml'} --published {PROJECT / 'published'} --out {tmp_path / 'claims.md'}"
    assert main(["claims", *files.split()]) == 0
    for name in ("claims.md", "claims.csv"):
        assert (tmp_path / name).read_text() == (PROJECT / "docs" / name).read_text()
    assert "better-tradeoff" in capsys.readouterr().out


def test_the_summary_in_the_readme_is_that_of_the_published_runs(tmp_path):
    readme = tmp_path / "README.md"
    kept = (PROJECT / "README.md").read_text()
    readme.write_text(with_summary(kept, "old\n"))
    files = f"--claims {CONFIGS / 'claims.yaml'} --published {PROJECT / 'published'} --readme {readme}"
    assert main(["claims", *files.split()]) == 0
    assert readme.read_text() == kept


def test_the_summary_names_verdicts_and_counts_the_rest():
    claims = [claim("a"), claim("b", number=2)]
    table = outcomes(claims, {("a", 0): (estimate(2.0, 0.3), 5), ("b", 0): (estimate(0.5, 1.0), 5)})
    first, second = summary(claims, table).splitlines()
    assert first.startswith("2 claims of the paper, 3 declared tests; of 2 measured: 1 supported, 1 no verdict; 1 wait")
    assert second.startswith("- *supported*: Claim a. score, x (energy) minus y (energy) at 2×") and "+2.00" in second


def test_a_document_without_marks_is_refused():
    with pytest.raises(InputError, match="no place for the summary"):
        with_summary("text", "new")
