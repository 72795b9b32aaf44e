"""`cosee claims`: what became of each claim of the paper, from the published runs."""

import argparse
from pathlib import Path

HELP = "put the claims of the paper to their tests on published runs, and write the list"
EXAMPLES = ("cosee claims --claims config/claims.yaml --published published --out claims.md",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--claims", type=Path, default=Path("config/claims.yaml"), metavar="FILE", help="(default: config/claims.yaml)"
    )
    parser.add_argument(
        "--published", type=Path, default=Path("published"), metavar="FOLDER", help="collections (default: published)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="document to write; a CSV file is put beside it")
    parser.add_argument(
        "--readme", type=Path, metavar="FILE", help="document whose summary, between the marks, is made anew"
    )


def run(args: argparse.Namespace) -> None:
    """Measure, write, and print the verdicts."""
    from cosee.io import write_frame, write_text
    from cosee.plan.claims import read_claims
    from cosee.runs.claims import measure
    from cosee.tables.claims import document, outcomes, summary, with_summary

    claims = read_claims(args.claims)
    measured = {}
    for claim in claims:
        for number, test in enumerate(claim.tests):
            if effect := measure(test, args.published):
                measured[claim.id, number] = (effect.estimate, effect.num_seeds)
    table = outcomes(claims, measured)
    if args.out:
        write_text(args.out, document(claims, table))
        write_frame(args.out.with_suffix(".csv"), table)
    if args.readme:
        write_text(args.readme, with_summary(args.readme.read_text(encoding="utf-8"), summary(claims, table)))
    print(table[["id", "collection", "measure", "effect", "low", "high", "verdict"]].to_string(index=False, na_rep="–"))
