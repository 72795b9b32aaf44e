"""`python -m cosee` is the command `cosee`."""

import sys

from cosee.cli import main

sys.exit(main())
