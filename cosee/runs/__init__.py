"""Execution of a run, from its description to its files, and access to finished runs."""
