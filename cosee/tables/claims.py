"""The list of claims with the outcome of their tests, as a frame and as a document."""

from collections.abc import Mapping, Sequence

import pandas as pd

from cosee.errors import InputError
from cosee.evaluation.intervals import LEVEL, Estimate, holm
from cosee.plan.claims import Claim, Test
from cosee.tables.text import NONE, to_markdown

COLUMNS = (
    *("id", "claim", "source", "collection", "backbone", "tasks", "measure", "variant", "reference", "speedups"),
    *("split", "seeds", "effect", "low", "high", "p_value", "p_holm", "verdict"),
)
"""Columns of `outcomes`, in order: one row per test, or one per claim without tests."""

SUPPORTED, CONTRADICTED, NO_EFFECT, UNDECIDED = ("supported", "contradicted", "no effect", "no verdict")
"""Outcomes of a test whose runs are published."""

VERDICTS = (SUPPORTED, CONTRADICTED, NO_EFFECT, UNDECIDED)

PLANNED, SETTLED, OPEN = ("runs not published yet", "settled without runs", "not tested")
"""Outcomes of other claims."""

UNITS = {
    "score": "points of the score",
    "score_gain": "points of the score",
    "dis": "points of DIS",
    "training_loss": "nats",
    "exit_of_errors": "layers",
}
"""Unit of each measure."""

Measured = Mapping[tuple[str, int], tuple[Estimate, int]]
"""(claim, number of its test from 0) -> estimate and seeds, of the tests whose runs are published."""


def outcomes(claims: Sequence[Claim], measured: Measured) -> pd.DataFrame:
    """One row per test with its verdict.

    The tests of one collection are one family, whose p-values are adjusted together (Holm). A claim is *supported*
    (*contradicted*) by a test if the adjusted p-value is below 0.05 and the interval excludes zero in the predicted
    (the opposite) direction; there is *no effect* if the interval lies within the margin that was declared.

    Args:
        claims: in display order.
        measured: what is known.
    """
    rows = [row for claim in claims for row in _rows(claim, measured)]
    table = pd.DataFrame(rows, columns=[column for column in COLUMNS if column != "p_holm"] + ["expected", "margin"])
    table["p_holm"] = table.groupby("collection", dropna=False)["p_value"].transform(lambda p: holm(p.astype(float)))
    is_tested = table["effect"].notna()
    table.loc[is_tested, "verdict"] = [_verdict(row) for row in table[is_tested].itertuples()]
    return table[list(COLUMNS)]


def _rows(claim: Claim, measured: Measured) -> list[dict]:
    same = {"id": claim.id, "claim": claim.claim, "source": claim.source}
    if not claim.tests:
        return [same | {"verdict": SETTLED if claim.settled else OPEN}]
    return [same | _row(test, measured.get((claim.id, number))) for number, test in enumerate(claim.tests)]


def _row(test: Test, known: tuple[Estimate, int] | None) -> dict:
    described = {
        **{
            name: getattr(test, name) for name in ("collection", "backbone", "measure", "variant", "reference", "split")
        },
        "tasks": " ".join(test.tasks),
        "speedups": " ".join(f"{speedup:g}" for speedup in test.speedups) if test.measure in _AT_SPEEDUPS else "",
        "expected": test.expected,
        "margin": test.margin,
        "verdict": PLANNED,
    }
    if known is None:
        return described
    estimate, seeds = known
    low, high = estimate.interval()
    return described | {
        "seeds": seeds,
        "effect": estimate.value,
        "low": low,
        "high": high,
        "p_value": estimate.p_value(),
    }


_AT_SPEEDUPS = ("score", "score_gain", "exit_of_errors")


def _verdict(row) -> str:
    sign = 1 if row.expected == "higher" else -1
    if row.p_holm < 1 - LEVEL and min(sign * row.low, sign * row.high) > 0:
        return SUPPORTED
    if row.p_holm < 1 - LEVEL and max(sign * row.low, sign * row.high) < 0:
        return CONTRADICTED
    if max(abs(row.low), abs(row.high)) < row.margin:
        return NO_EFFECT
    return UNDECIDED


def document(claims: Sequence[Claim], table: pd.DataFrame) -> str:
    """The Markdown document of the claims: a summary table, then each claim with its tests.

    Args:
        claims: those of the table.
        table: of `outcomes`.
    """
    summary = pd.DataFrame(
        [
            {
                "Claim": f"[{claim.claim}](#{claim.id})",
                "In the paper": claim.source,
                "Outcome": "; ".join(_counted(table.loc[table["id"] == claim.id, "verdict"])),
            }
            for claim in claims
        ]
    )
    parts = [_HEAD, to_markdown(summary, "One line per claim; a claim may have several tests."), "## Tests\n"]
    for claim in claims:
        parts.append(f'<a id="{claim.id}"></a>**{claim.claim}** ({claim.source})\n')
        tests = table[(table["id"] == claim.id) & table["collection"].notna()]
        parts += [_test_line(row) for row in tests.itertuples()]
        parts += [f"- Settled without runs: {claim.settled}"] if claim.settled else []
        parts += [f"- Open: {claim.open}"] if claim.open else []
        parts.append("")
    return "\n".join(parts)


def summary(claims: Sequence[Claim], table: pd.DataFrame) -> str:
    """Sentences on the claims that have been measured, for a place where the whole list would be too long.

    Args:
        claims: those of the table.
        table: of `outcomes`.
    """
    measured = table[table["effect"].notna()]
    counts = measured["verdict"].value_counts(sort=False)
    outcome = ", ".join(f"{counts[name]} {name}" for name in VERDICTS if name in counts) or "none yet"
    waiting = int((table["verdict"] == PLANNED).sum())
    lines = [
        f"{len(claims)} claims of the paper, {len(measured) + waiting} declared tests; of {len(measured)} measured: "
        f"{outcome}; {waiting} wait for their runs."
    ]
    for verdict in (SUPPORTED, CONTRADICTED, NO_EFFECT):
        for row in measured[measured["verdict"] == verdict].itertuples():
            lines.append(f"- *{verdict}*: {row.claim} {_test_line(row).removeprefix('- ').rpartition(':')[0]}.")
    return "\n".join(lines) + "\n"


BEGIN, END = ("<!-- claims: made by `cosee claims --readme` -->", "<!-- end of claims -->")
"""Marks of a document's summary."""


def with_summary(text: str, new: str) -> str:
    """A document with the summary between its marks replaced.

    Raises:
        InputError: it has no marks.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise InputError(f"no place for the summary: expected the lines {BEGIN!r} and {END!r}.")
    return f"{before}{begin}\n{new}{end}{after}"


_HEAD = """# Claims of the paper and what became of them

Made by `cosee claims` from `config/claims.yaml`, where every test was declared before its runs, and from the outputs in
`published/`; not written by hand. Effects are means over tasks and seeds, with 95 % intervals that contain the variance
of training. Tests of one collection are one family: p-values are adjusted for their number (Holm). *Supported* and
*contradicted* need an adjusted p-value below 0.05; *no effect* needs an interval within the declared margin; *no
verdict* is all else. Entrants are written "variant (exit rule)"; presets are `config/evidence/<collection>.yaml`.
"""


def _counted(verdicts: pd.Series) -> list[str]:
    counts = verdicts.value_counts(sort=False)
    return [name if count == 1 else f"{name} ({count} tests)" for name, count in counts.items()]


def _test_line(row) -> str:
    against = "" if pd.isna(row.reference) else f" minus {row.reference}"
    at = f" at {'×, '.join(row.speedups.split())}×" if row.speedups else ""
    where = f"`{row.collection}`, {row.backbone}, {row.tasks} {row.split}"
    what = f"{row.measure}, {row.variant}{against}{at} ({where})"
    if pd.isna(row.effect):
        return f"- {what}: {row.verdict}."
    interval = NONE if pd.isna(row.low) else f"[{row.low:+.2f}, {row.high:+.2f}]"
    adjusted = "" if pd.isna(row.p_holm) else f", adjusted p {row.p_holm:.3f}"
    effect = f"{row.effect:+.2f} {interval} {UNITS[row.measure]}{adjusted}"
    return f"- {what}, {row.seeds:.0f} seeds: {effect}: **{row.verdict}**."
