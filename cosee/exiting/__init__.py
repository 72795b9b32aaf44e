"""Exit signals and exit rules, early exit simulated on stored outputs, and real early exit."""
