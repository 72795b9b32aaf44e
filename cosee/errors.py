"""Exceptions that mean "the input is wrong": their message is one sentence for the person who gave it."""


class InputError(ValueError):
    """Wrong data, configuration or argument: says what is wrong, where, and what would be right."""


class DivergedError(InputError):
    """Training diverged: the loss or the logits became non-finite."""
