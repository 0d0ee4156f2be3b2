"""The one error that is meant for people: its text names the value, the limit and the remedy."""


class InputError(ValueError):
    """Something a person gave cannot be used. Doors show its text as it is; anything else is a fault of ours."""
