"""The base class of errors whose message is meant for the user."""


class InfoscopeError(Exception):
    """An error the user can fix: a one-line message names its cause and the remedy."""
