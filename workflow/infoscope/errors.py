"""Errors whose message is meant for the user."""


class InfoscopeError(Exception):
    """Something the user can mend: one sentence that names it and says how."""
