"""`cosee explore`: one page in which finished runs are looked into, beside published ones."""

import argparse
from pathlib import Path

from cosee.cli.settings import add_speedups

HELP = "make one page for the browser from finished runs: trade-off, operating points, examples, training"
EXAMPLES = (
    "cosee explore runs/mine --out explorer.html",
    "cosee explore runs/mine --published published/mine --speedups 2 3 --out beside.html",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of finished runs")
    parser.add_argument("--published", type=Path, metavar="FOLDER", help="a published collection to show them beside")
    parser.add_argument("--backbone", help="its encoder to show, if it has several")
    parser.add_argument(
        "--data-dir", type=Path, metavar="FOLDER", help="your copy of GLUE: the page then shows the texts of examples"
    )
    parser.add_argument("--claims", type=Path, metavar="FILE", help="a list of claims, as CSV")
    add_speedups(parser, "speed-ups at which methods are compared")
    out = Path("explorer.html")
    parser.add_argument("--out", type=Path, default=out, metavar="FILE", help="default: explorer.html")


def run(args: argparse.Namespace) -> None:
    """Read, make the page, say where it is."""
    from cosee.explorer.claims import claim_rows, read_claims
    from cosee.explorer.from_runs import runs_source
    from cosee.explorer.page import page
    from cosee.io import write_text

    source = runs_source(
        args.runs,
        published=args.published,
        backbone=args.backbone,
        data_dir=args.data_dir,
        targets=sorted(set(args.speedups)),
    )
    source.claims = claim_rows(read_claims(args.claims)) if args.claims else None
    write_text(args.out, page(source))
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB; open it in a browser.")
