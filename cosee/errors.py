"""The one exception that means "the input is wrong": its message is one sentence for the person who gave it."""


class InputError(ValueError):
    """Wrong data, configuration or argument: says what is wrong, where, and what would be right."""
