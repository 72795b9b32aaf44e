"""COSEE: consistency-oriented signal-based early exiting of pretrained encoders.

The package is read from the data to the figures: rows (`data`) become token ids, a `MultiExitModel` trained by one of
`methods` gives the logits of every exit, and everything after that (`exits`, `metrics`, `evaluation`, `tables`,
`figures`) is a NumPy function of those logits that never imports torch.
"""

__version__ = "0.1.0"

NUMERICS_VERSION = 6
"""Raised by hand when training or prediction gives other numbers than before: the workflow then trains anew.

Snakemake sees changes of rules and scripts, not of the modules they import; a docstring must not cost a GPU-week.
"""
