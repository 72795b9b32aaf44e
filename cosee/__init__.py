"""COSEE: consistency-oriented signal-based early exiting of pretrained encoders.

The package is read from the data to the figures: examples (`data`, `synthetic`) become token ids; a `MultiExitModel`
(`models`), trained by one of `methods` (with `losses` and `training`), gives the logits of every exit; everything after
that (`exiting`, `evaluation`, `tables`, `figures`) is a NumPy function of those logits that never imports torch.
`plan` says which runs a configuration has, `runs` executes them, `cli` and `export` serve the trained models, and
`bench` times all of it. `docs/architecture.md` has the map and the notation.
"""

__version__ = "0.1.0"

NUMERICS_VERSION = 6
"""Raised by hand when training or prediction gives other numbers than before: the workflow then trains again.

Snakemake sees changes of rules and scripts, not of the modules they import; a docstring must not cost a GPU-week.
"""
