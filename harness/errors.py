"""Everything that ends a command with one line for the user.

FlatnetError            exit status 1, unless a subclass says otherwise
|-- UsageError          an argument or a combination of arguments cannot be used (exit status 2)
|-- ManifestError       contenders.toml is not what it should be (exit status 2)
|-- ContractError       a program's output is not what the contract says
`-- ResultsError        the results folder cannot be read, written or shared
    `-- NothingMeasured it is whole, and holds no timed run that ended well
"""

INTERRUPTED = 130
"""The exit status of a command that Ctrl-C has ended."""


class FlatnetError(Exception):
    """The base of the project's exceptions; its text is the line that the user reads."""

    exit_status = 1


class UsageError(FlatnetError):
    """An argument, or a combination of arguments, that cannot be used."""

    exit_status = 2


class ManifestError(FlatnetError):
    """A manifest of contenders with a missing, unknown or contradictory entry."""

    exit_status = 2


class ContractError(FlatnetError):
    """Output that breaks the contract which every contender keeps."""


class ResultsError(FlatnetError):
    """A results folder that is unwritable or in use, or that holds files which cannot be understood."""


class NothingMeasured(ResultsError):
    """A sweep without a timed run that ended well: nothing can be said about it."""
