"""A small frame of certified thresholds, in the columns that the workflow writes."""

import numpy as np
import pandas as pd

from cosee.evaluation.risk_frames import COLUMNS

LABELS = {"vanilla": "Plain", "cosee": "COSEE"}
LEVELS = (0.01, 0.05, 0.1)


def risk_rows(seeds=(0, 1)):
    """Realized risks near their levels, of two variants on two tasks, one of which has two evaluated splits."""
    rng, rows = np.random.default_rng(0), []
    for task, split in (("sst2", "dev"), ("mnli", "dev"), ("mnli", "dev_mm")):
        for variant in LABELS:
            for seed in seeds:
                for loss in ("same", "harm"):
                    for procedure in ("naive", "ltt"):
                        for level in LEVELS:
                            risk = level * rng.uniform(0.5, 1)
                            rows.append(
                                {
                                    **{"task": task, "backbone": "bert", "variant": variant, "exit_rule": "energy"},
                                    **{"seed": seed, "split": split, "model": variant, "rule": "energy"},
                                    **{"adjustable": True, "loss": loss, "procedure": procedure, "level": level},
                                    **{"confidence": 0.9, "num_calibration": 500, "threshold": rng.random()},
                                    **{"risk": risk, "low": risk / 2, "high": risk * 2, "speedup": 1 + 20 * risk},
                                    **{"speedup_flops": 1 + 19 * risk, "score": 0.9 - risk},
                                }
                            )
    return pd.DataFrame(rows, columns=list(COLUMNS))
