"""Table of latencies: wall-clock time that early exit saves."""

import pandas as pd

from cosee.tables.text import NONE, decimal


def latency_wide(table: pd.DataFrame) -> pd.DataFrame:
    """`cosee.evaluation.latency.latency` as text: one row per batch size and operating point."""
    return pd.DataFrame(
        {
            "Batch": str(row.batch_size),
            "Asked for": f"{row.target_speedup:g}×",
            "Layers": f"{row.layer_speedup:.2f}×",
            "Wall-clock": f"{row.wall_speedup:.2f}×",
            "Kept (%)": decimal(100 * row.share_kept),
            "Full model (ms)": f"{row.whole_ms:.3g}, {row.whole_p95_ms:.3g}",
            "Early (ms)": f"{row.early_ms:.3g}, {row.early_p95_ms:.3g}",
            "Tests (%)": decimal(100 * row.tests_share),
            "R²": NONE if pd.isna(row.r2) else f"{row.r2:.3f}",
        }
        for row in table.itertuples()
    )
