"""What holds for every test: no network, no display, one thread, the same examples on every run."""

import os

from hypothesis import settings

# Before numpy, torch, transformers or matplotlib are imported, and handed on to the processes that tests start.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["MPLBACKEND"] = "Agg"
os.environ["OMP_NUM_THREADS"] = "1"  # the models are too small to share, and sums keep their order
os.environ["TOKENIZERS_PARALLELISM"] = "false"

# The verdict on a commit must not depend on luck or load; `--hypothesis-profile=default` searches for new examples.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")
