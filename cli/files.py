"""Reading what a user names: never more of a file than the command can use, whatever it is."""

from collections.abc import Iterator
from pathlib import Path

from cocket.cli.errors import CommandError, Exit


def read_bounded(path: Path, bytes_max: int) -> bytes:
    """Return a file's bytes.

    :raises CommandError: it is larger; no more than the bound was read.
    """
    with path.open("rb") as file:
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise CommandError(f"{path}: larger than {bytes_max} bytes, so not read", Exit.USAGE)
    return data


def read_lines(path: Path, bytes_max: int) -> Iterator[bytes]:
    """Yield the lines of a file that are not blank, stripped.

    :raises CommandError: a line is longer; no more than the bound of it was read.
    """
    with path.open("rb") as file:
        number = 0
        while line := file.readline(bytes_max + 1):
            number += 1
            if len(line) > bytes_max:
                raise CommandError(f"{path}, line {number}: longer than {bytes_max} bytes, so not read", Exit.USAGE)
            if stripped := line.strip():
                yield stripped
