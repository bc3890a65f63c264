"""What can go wrong with a bundle or a checkpoint, split by what its reader is to do.

NodeError
+-- InvalidBundle       bytes that are no bundle, or not as we would write it: get the file again
+-- InvalidCheckpoint   text that is no checkpoint, or one that too few signed: do not use it as an anchor
+-- Unproven            a bundle that does not follow from the anchor: it says nothing about any certificate
"""

from cocket.node.errors import NodeError


class InvalidBundle(NodeError):
    """Bytes that are not the one encoding of a bundle; the message says where."""


class InvalidCheckpoint(NodeError):
    """A checkpoint that is malformed, or not signed by those it must be; the message says which."""


class Unproven(NodeError):
    """A bundle does not prove what it carries from the anchor; the message names the first link that does not hold."""
