"""From stored outputs to numbers: metrics, curves, selection, intervals, result frames."""
