"""Errors of the founding.

::

    FoundingError
    ├── InvalidRecord      a parameters, record or confirmation file is malformed or its signature is wrong
    └── CeremonyRefused    the files are well formed but do not belong together
"""


class FoundingError(Exception):
    """Root of this package's errors; the message says what was found and what to do."""


class InvalidRecord(FoundingError):
    """A file of the ceremony is malformed, or a signature in it is not by the key it names."""


class CeremonyRefused(FoundingError):
    """Files that are valid alone contradict each other or the parameters."""
