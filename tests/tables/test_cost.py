"""The table of costs."""

import pandas as pd

from cosee.tables import cost_wide


def test_costs_add_up_by_task_and_encoder():
    costs = pd.DataFrame(
        [
            ("bert", "sst2", "half", 2, 7200, 500.0, 0.5),
            ("bert", "sst2", "cosee", 1, 3600, 1000.0, 1.5),
            ("albert", "sst2", "cosee", 1, 3600, 1000.0, 12.0),
        ],
        columns=["backbone", "task", "variant", "trainings", "rows_trained", "training_ms", "hours"],
    )
    assert cost_wide(costs).to_numpy().tolist() == [
        ["SST-2 (bert)", "3", "1.5", "2.0 hours"],
        ["SST-2 (albert)", "1", "1.0", "12.0 hours"],
        ["all", "4", "1.3", "14.0 hours"],
    ]
