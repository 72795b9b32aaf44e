"""`cosee compare`: one's own finished runs beside published ones, at equal cost on the same examples."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cosee.cli.settings import add_speedups

if TYPE_CHECKING:
    import pandas as pd

HELP = "put finished runs beside published ones: trade-off, differences at equal cost, rank"
EXAMPLES = (
    "cosee compare runs/mine --published published/mine",
    "cosee compare runs/mine --published published/mine --speedups 2 3 --name ours --out comparison",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of finished runs of one method")
    parser.add_argument("--published", type=Path, required=True, metavar="FOLDER", help="a published collection")
    parser.add_argument("--backbone", help="its encoder to compare with, if it has several")
    parser.add_argument("--name", help="what to call one's own entrant (default: its variant and exit rule)")
    parser.add_argument("--split", default="dev", help="the evaluated split (default: dev)")
    add_speedups(parser, "layers of the encoder over the mean exit layer")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="write scores.csv, differences.csv and comparison.md as well"
    )


def run(args: argparse.Namespace) -> None:
    """Compare, show, write."""
    import pandas as pd

    from cosee.errors import InputError
    from cosee.io import write_frame, write_text
    from cosee.runs.comparison import check_same_examples, entrants_of_collection, entrants_of_runs, points_at
    from cosee.tables.ranking import differences_from, ranking, ranking_wide, scores_at
    from cosee.tables.text import to_markdown
    from cosee.tables.verdicts import verdict_sentences

    ours = entrants_of_runs(args.runs, args.name)
    if len(ours) > 1:
        raise InputError(
            f"The runs are of {len(ours)} variants or exit rules ({', '.join(each.name for each in ours)}); "
            "compare one at a time."
        )
    (own,) = ours
    others = entrants_of_collection(args.published, args.backbone)
    check_same_examples(ours, others)
    if own.name in (other.name for other in others):
        own.name = f"{own.name}, yours"

    names = [own.name, *(other.name for other in others)]
    scores, tables, sections = [], [], []
    for speedup in args.speedups:
        points = points_at([own, *others], speedup, args.split)
        scores.append(scores_at(points, speedup))
        tables.append(differences_from(own.name, names, points, speedup, args.backbone or ""))
        ranked = ranking_wide(ranking(scores[-1], tables[-1], own.tasks))
        caption = f"Entrants at {speedup:g}× and equal mean exit layer, {args.split}, mean of {', '.join(own.tasks)}."
        sections.append(_section(ranked, to_markdown(ranked, caption), verdict_sentences(tables[-1])))
    text = "\n".join(sections)
    if args.out:
        write_frame(args.out / "scores.csv", pd.concat(scores, ignore_index=True))
        write_frame(args.out / "differences.csv", pd.concat(tables, ignore_index=True))
        write_text(args.out / "comparison.md", text)
    print(text, end="")


def _section(ranked: "pd.DataFrame", table: str, sentences: list[str]) -> str:
    """Table of one speed-up, then what may be said of it; nothing if one is alone."""
    return table + ("\n" + " ".join(sentences) + "\n" if len(ranked) > 1 else "")
