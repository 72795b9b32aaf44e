"""All hostile cases, run one after the other, and the table of what came of them."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import torch
from faults import commands, configurations, intermediates, sources
from faults.outcomes import ACCEPTED, KILLED, REFUSED, TRACEBACK, Case, Outcome, outcome

from cosee.methods import METHODS, make_method


def all_cases() -> list[Case]:
    """Every case, by kind."""
    return [case for module in (configurations, commands, intermediates, sources) for case in module.cases()]


def run_cases(cases: Iterable[Case], place: Path) -> list[Outcome]:
    """Run cases, each in a copy of a folder, in children of this process, into which all is imported once."""
    import transformers.models.bert.modeling_bert  # noqa: F401 (for the children)

    torch.set_num_threads(1)
    for name in METHODS:
        make_method(name, {})
    outcomes = []
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            own = Path(folder) / "place"
            # files are copied, but not the encoder behind its link
            shutil.copytree(place, own, symlinks=True, ignore=shutil.ignore_patterns("laptop", "server"))
            outcomes.append(outcome(case, own))
    return outcomes


def table(outcomes: Iterable[Outcome]) -> str:
    """Counts by kind in Markdown, and every case that is wrong."""
    outcomes = list(outcomes)
    lines = ["| kind | cases | refused | accepted | traceback | killed | wrong |", "| --- |" + " --- |" * 6]
    for kind in [*dict.fromkeys(each.case.kind for each in outcomes), "all"]:
        of_kind = [each for each in outcomes if kind in (each.case.kind, "all")]
        counts = Counter(each.what for each in of_kind)
        cells = [len(of_kind), *(counts[what] for what in (REFUSED, ACCEPTED, TRACEBACK, KILLED))]
        cells.append(sum(not each.is_right for each in of_kind))
        lines.append(f"| {kind} | {' | '.join(map(str, cells))} |")
    wrong = [each for each in outcomes if not each.is_right]
    bad = [f"- {each.case.kind}, {each.case.name}: {each.what}: {each.message}" for each in wrong]
    return "\n".join([*lines, *(["", "Wrong:", "", *bad] if bad else [])]) + "\n"
