"""Making checkpoints: what a node says of a block, as authorities sign it, one after the other or side by side."""

from cocket.cli.bundling import read_header
from cocket.cli.client import NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.contracts import consortium
from cocket.node.bundle.checkpoint import Authority, Checkpoint, signing_hash
from cocket.node.chain.header import block_hash
from cocket.node.signer import KeySigner


def read_statement(client: NodeClient, height: int | None) -> Checkpoint:
    """Return the checkpoint of a height, by default the last block's, as the node has it, unsigned.

    :raises CommandError: the node does not have that block, or is catching up and no height is named.
    """
    if height is None and client.syncing_to() is not None:
        raise CommandError(f"{client.url}: this node is catching up; name a --height that it has", Exit.FAILED)
    at = client.block_number() if height is None else height
    if at == 0:
        raise CommandError("block 0: its hash, the genesis hash, is an anchor already", Exit.USAGE)
    header = read_header(client, at)
    return Checkpoint(
        chain_id=client.chain_id(),
        genesis_hash=client.genesis_hash(),
        height=at,
        block_hash=block_hash(header),
        time_s=header.timestamp,
        validators=client.view(consortium.ADDRESS, consortium.get_validators(), at),
        authorities=tuple(_authorities(client, at)),
    )


def sign(checkpoint: Checkpoint, client: NodeClient, key: bytes) -> Checkpoint:
    """Return the checkpoint with one more signature, after comparing it with what the signer's own node has.

    :raises CommandError: the node has something else, or the key is of no authority in the checkpoint.
    """
    own = read_statement(client, checkpoint.height)
    if own != checkpoint.unsigned():
        raise CommandError(
            f"not signed: the checkpoint says block 0x{checkpoint.block_hash.hex()} at height {checkpoint.height}, and "
            f"{client.url} has 0x{own.block_hash.hex()}, or others as validators or authorities after it",
            Exit.VERIFICATION_NO,
        )
    signer = KeySigner(key)
    if signer.address not in [authority.admin for authority in checkpoint.authorities]:
        raise CommandError(
            f"not signed: 0x{signer.address.hex()} was the admin of no active authority at block {checkpoint.height}",
            Exit.REFUSED,
        )
    return checkpoint.signed([signer.sign_digest(signing_hash(checkpoint))])


def merge(checkpoint: Checkpoint, other: Checkpoint) -> Checkpoint:
    """Return the checkpoint with another file's signatures too.

    :raises CommandError: that is of another block or network.
    """
    if checkpoint.unsigned() != other.unsigned():
        raise CommandError(
            f"the checkpoints differ: block {checkpoint.height} 0x{checkpoint.block_hash.hex()} and block "
            f"{other.height} 0x{other.block_hash.hex()}",
            Exit.REFUSED,
        )
    return checkpoint.signed(other.signatures)


def _authorities(client: NodeClient, height: int) -> "list[Authority]":
    """Return the authorities that are active after a block."""
    found = []
    for number in range(1, client.view(consortium.ADDRESS, consortium.authority_count(), height) + 1):
        authority = client.view(consortium.ADDRESS, consortium.authority(number), height)
        if authority.status is consortium.Status.ACTIVE:
            keys = client.view(consortium.ADDRESS, consortium.keys(authority.keys_id), height)
            found.append(Authority(number, authority.country, keys.admin))
    return found
