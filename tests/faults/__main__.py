"""The hostile test: `python -m tests.faults`, and with `--kills N` the kills as well.

It prints counts by kind and every case that is wrong, and fails if there is one.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest does

from faults import commands, kills, table


def main() -> int:
    """Run the cases, or those whose kind or name contains a text, and the kills."""
    parser = argparse.ArgumentParser("python -m tests.faults", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose kind or name contains it")
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="kills of the reduced pipeline (minutes)")
    parser.add_argument("--seconds", type=float, nargs=2, default=(8.0, 40.0), metavar="S", help="between two kills")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wanted = [case for case in table.all_cases() if args.only in f"{case.kind}: {case.name}"]
        outcomes = table.run_cases(wanted, commands.build(Path(folder))) if wanted else []
        print(table.table(outcomes), flush=True)
        if args.kills:
            print(kills.run_kills(Path(folder) / "killed", args.kills, tuple(args.seconds), args.seed))
    return int(not all(each.is_right for each in outcomes))


if __name__ == "__main__":
    sys.exit(main())
