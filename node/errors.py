"""What can go wrong in the node, split by who is to blame, so that a caller knows what to do without reading the text.

    NodeError
    +-- PeerError            a peer broke a protocol: drop it and what it sent
    +-- InvalidBlock         a block or header breaks a rule: reject it
    +-- InvalidTransaction   a transaction can never, or not now, be part of a block: reject it
    +-- InvalidGenesis       genesis.json is malformed, or asks for what this node does not do: do not start
    +-- Refused              a rule, a limit or a contract said no to something well-formed
    +-- Unavailable          what this process leans on does not answer, or lags behind: try again later
    +-- Damaged              something stored is not what was stored: use it for nothing, restore it from a copy
    +-- NodeFault            our own bug or the disk: stop the node

Each message says what was found, what was expected and, where the reader can act, what to do. This module imports
nothing.
"""


class NodeError(Exception):
    """The root of every error that the node raises on purpose."""


class PeerError(NodeError):
    """A peer broke a protocol: drop it and everything unverified that it sent."""


class InvalidBlock(NodeError):
    """A block or a header breaks a rule; the message names the rule, what was expected and what was found."""


class InvalidTransaction(NodeError):
    """A transaction breaks a rule; the message names the rule, what was expected and what was found."""


class InvalidGenesis(NodeError):
    """A genesis file is malformed or asks for something that this node refuses; the message names the key."""


class Refused(NodeError):
    """A rule, a limit or a contract said no to something well-formed; the message says which."""


class Unavailable(NodeError):
    """What this process leans on does not answer, or lags behind; the same thing asked later may succeed."""


class Damaged(NodeError):
    """Something stored is missing, or not what was stored; the message names it. The rest stays usable."""


class NodeFault(NodeError):
    """Our own bug or the machine's failure (disk, key): nothing that others sent can cause it, so the node stops."""
