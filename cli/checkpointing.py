"""Making checkpoints: what a node says of a block, as authorities sign it, one after the other or side by side."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cocket.attestation.identity.chain import check_chain, check_revocation
from cocket.attestation.sdjwt.issuer import Issuer
from cocket.attestation.sdjwt.p256 import Sign
from cocket.attestation.verdict import YES
from cocket.cli.bundling import read_header
from cocket.cli.client import NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.contracts import consortium
from cocket.node.bundle.checkpoint import Authority, Checkpoint, Seal, signing_hash
from cocket.node.bundle.errors import InvalidCheckpoint
from cocket.node.chain.header import block_hash
from cocket.node.signer import KeySigner

if TYPE_CHECKING:
    from cryptography import x509


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
    _require_own(checkpoint, client)
    signer = KeySigner(key)
    if signer.address not in [authority.admin for authority in checkpoint.authorities]:
        raise CommandError(
            f"not signed: 0x{signer.address.hex()} was the admin of no active authority at block {checkpoint.height}",
            Exit.REFUSED,
        )
    return checkpoint.signed([signer.sign_digest(signing_hash(checkpoint))])


def seal(checkpoint: Checkpoint, client: NodeClient, issuer: Issuer, sign_message: Sign) -> Checkpoint:
    """Return the checkpoint with the seal of the authority whose certificate it is, after comparing it likewise.

    :raises CommandError: the node has something else, or the ledger has the certificate of no active authority.
    """
    _require_own(checkpoint, client)
    number = next((each.number for each in checkpoint.authorities if each.seal == issuer.fingerprint), None)
    if number is None:
        raise CommandError(
            f"not sealed: at block {checkpoint.height} the ledger has this certificate of no active authority; name it "
            "in a record (genesis record --seal-certificate), and have that voted on (authority propose keys)",
            Exit.REFUSED,
        )
    try:
        return checkpoint.signed(seals=[Seal(number, issuer, sign_message(signing_hash(checkpoint)))])
    except InvalidCheckpoint as error:
        raise CommandError(f"the key is not that of the certificate: {error}", Exit.USAGE) from None


def require_trusted(
    checkpoint: Checkpoint, trusted: "Sequence[x509.Certificate]", crls: "Sequence[x509.CertificateRevocationList]"
) -> None:
    """Refuse a checkpoint that is not sealed by a quorum of its authorities whose certificates lead to trusted ones.

    Revocation is judged where there are lists.

    :raises CommandError: too few are; says why each other one does not count.
    """
    countries = {authority.number: authority.country for authority in checkpoint.authorities}
    good, problems = 0, []
    for each in checkpoint.seals:
        answers = [check_chain(each.issuer.chain, trusted, checkpoint.time_s)]
        if crls:
            answers.append(check_revocation(each.issuer.chain, trusted, crls, checkpoint.time_s))
        wrong = [answer.reason for answer in answers if answer.answer != YES]
        good += not wrong
        problems += [f"{countries[each.number]}: {reason}" for reason in wrong[:1]]
    if good < checkpoint.needed:
        raise CommandError(
            f"the checkpoint has trusted seals of {good} authorities, {checkpoint.needed} of "
            f"{len(checkpoint.authorities)} are needed" + "".join(f"; {problem}" for problem in problems),
            Exit.VERIFICATION_NO,
        )


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
    return checkpoint.signed(other.signatures, other.seals)


def _require_own(checkpoint: Checkpoint, client: NodeClient) -> None:
    own = read_statement(client, checkpoint.height)
    if own != checkpoint.unsigned():
        raise CommandError(
            f"not signed: the checkpoint says block 0x{checkpoint.block_hash.hex()} at height {checkpoint.height}, and "
            f"{client.url} has 0x{own.block_hash.hex()}, or others as validators or authorities after it",
            Exit.VERIFICATION_NO,
        )


def _authorities(client: NodeClient, height: int) -> "list[Authority]":
    """Return the authorities that are active after a block."""
    found = []
    for number in range(1, client.view(consortium.ADDRESS, consortium.authority_count(), height) + 1):
        authority = client.view(consortium.ADDRESS, consortium.authority(number), height)
        if authority.status is consortium.Status.ACTIVE:
            keys = client.view(consortium.ADDRESS, consortium.keys(authority.keys_id), height)
            found.append(Authority(number, authority.country, keys.admin, keys.seal_certificate))
    return found
