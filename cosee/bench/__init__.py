"""Timings, as ratios of contenders measured side by side, in one process, on one machine."""
