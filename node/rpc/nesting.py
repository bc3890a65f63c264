"""How deep JSON is nested, found without recursion, so that hostile bodies never reach a decoder that recurses.

msgspec recurses on the C stack and relies on Python's recursion limit, which the EVM's libraries raise so far that the
stack ends first: 50,000 opening brackets would kill the process. This part never says whether JSON is well-formed.
"""

import re
from typing import Final

DEPTH_MAX: Final = 64
"""Real requests are nested five deep."""

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKETS = b"[]{}"
_NOT_BRACKETS = bytes(value for value in range(256) if value not in _BRACKETS)


def is_nested_deeper(text: bytes, depth: int = DEPTH_MAX) -> bool:
    """Say whether JSON is nested deeper than ``depth``, or at least may be; a no is certain up to twice the depth.

    Strings are left out and innermost pairs taken away, as often as half the depth; each time removes one or two
    levels. What is left then is either deeper or malformed, and is only passed on if it has few brackets.

    >>> is_nested_deeper(b'[{"a":"[[["}]'), is_nested_deeper(b"[" * 1000)
    (False, True)
    """
    if text.count(b"[") + text.count(b"{") <= depth:
        return False
    brackets = _STRING.sub(b"", text).translate(None, _NOT_BRACKETS)
    for _ in range(depth // 2):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    return brackets.count(b"[") + brackets.count(b"{") > depth
