"""Everything that ends a command with one line for the user."""

INTERRUPTED = 130
"""The exit status after Ctrl-C."""


class FlatnetError(Exception):
    """The base of the project's exceptions; its text is the line that the user reads."""


class UsageError(FlatnetError):
    """Arguments that cannot be used: the exit status is 2."""


class ManifestError(UsageError):
    """A manifest with a missing, unknown or contradictory entry."""


class ResultsError(FlatnetError):
    """A results folder that cannot be read, written, shared or understood."""


class NothingMeasured(ResultsError):
    """A sweep without a timed run that ended well."""
