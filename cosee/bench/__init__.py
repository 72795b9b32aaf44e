"""What costs how much time: ratios of things that are measured side by side, in one process, on one machine."""
