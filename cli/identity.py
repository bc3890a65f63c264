"""``cocket identity``: X.509 seal certificates bound to participants, and documents of did:web."""

import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cocket.cli.account import Signing, format_time, on_option, parse_when, signing_options
from cocket.cli.client import NodeClient, node_option
from cocket.cli.errors import CommandError, Exit
from cocket.cli.output import json_option, show

if TYPE_CHECKING:
    from cryptography import x509

    from cocket.attestation.identity.binding import SealBinding
    from cocket.attestation.identity.seal_verdict import SealFacts

EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)
OUT = click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The new file; it is not overwritten."
)
BINDING = click.argument("binding_file", metavar="BINDING", type=EXISTING)
QUESTIONS = {
    "signed": "says so itself",
    "bound": "bound on the ledger",
    "chain": "leads to whom you trust",
    "not_revoked": "not revoked",
}


@click.group()
def identity() -> None:
    """Bind seal certificates (X.509) to participants, verify that, and write documents of did:web."""


@identity.command(
    epilog="Example: cocket identity bind --certificate seal.crt --seal-key seal.pem --out chamber.seal.json "
    "--key keys/chamber.json"
)
@click.option(
    "--certificate", "certificates", type=EXISTING, required=True, help="The seal's certificate, then its chain (PEM)."
)
@click.option("--seal-key", type=EXISTING, required=True, help="The seal's key: P-256 in PEM under a passphrase.")
@click.option(
    "--seal-passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File (mode 0600) with its passphrase; asked for when absent.",
)
@OUT
@signing_options
@json_option
def bind(
    certificates: Path, seal_key: Path, seal_passphrase_file: Path | None, out: Path, signing: Signing, as_json: bool
) -> None:
    """Say that a seal certificate is yours: its key signs for your account, and your account for its certificate.

    The ledger gets a salted hash and the certificate's end; who gets the file --out sees whose certificate it is. What
    was bound before ends. The seal then counts from this block on.
    """
    from cocket.attestation.errors import InvalidFile
    from cocket.attestation.identity.binding import SALT_BYTES, Statement, binding_hash, encode_binding
    from cocket.attestation.identity.binding import bind as bound_by
    from cocket.attestation.identity.chain import end_of
    from cocket.cli.exchange import read_issuer
    from cocket.cli.keys import ask_passphrase
    from cocket.cli.parties import participant_behind
    from cocket.contracts import participants
    from cocket.node.keystore import write_whole
    from cocket.node.pem_key import load_pem_key

    if out.exists():
        raise CommandError(f"{out} exists; choose another file", Exit.REFUSED)
    signatory = signing.open()
    client = signatory.client
    number = participant_behind(client, signatory.address)
    issuer = read_issuer(certificates)
    key = load_pem_key(seal_key, ask_passphrase(seal_passphrase_file))
    statement = Statement(
        client.chain_id(), client.genesis_hash(), participants.ADDRESS, number, secrets.token_bytes(SALT_BYTES)
    )
    try:
        binding = bound_by(statement, issuer, key.sign)
        expires = end_of(issuer.chain[0])
    except InvalidFile as error:
        raise CommandError(f"{certificates}: {error}", Exit.REFUSED) from None
    write_whole(out, encode_binding(binding), 0o644)
    data = participants.bind_seal(participant=number, binding=binding_hash(binding), expires=expires)
    final = client.send(signatory.key, participants.ADDRESS, data)
    answer: dict[str, object] = {
        "participant": number,
        "binding": binding_hash(binding),
        "subject": issuer.subject,
        "expires": expires,
        "block": final.block_number,
        "file": str(out),
    }
    said = [
        f"{issuer.subject} is participant {number} since block {final.block_number}, until {format_time(expires)}",
        f"give {out} to who is to know that; `cocket identity verify {out} --trust roots.pem --crl list.crl` checks it",
    ]
    show(as_json, answer, said)


@identity.command(epilog="Example: cocket identity unbind --participant 1 --reason 4 --key keys/chamber.json")
@click.option("--participant", "number", type=click.IntRange(min=1), required=True, help="Whose seal no longer counts.")
@click.option("--reason", type=click.IntRange(1, 65535), default=1, show_default=True, help="Reason code.")
@signing_options
@json_option
def unbind(number: int, reason: int, signing: Signing, as_json: bool) -> None:
    """End the seal of a participant: its certificate was revoked or its key is lost. Its authority may do it too."""
    from cocket.contracts import participants

    signatory = signing.open()
    data = participants.unbind_seal(participant=number, reason=reason)
    final = signatory.client.send(signatory.key, participants.ADDRESS, data)
    said = f"participant {number} has no seal since block {final.block_number}, {format_time(final.block_time_s)}"
    show(as_json, {"participant": number, "block": final.block_number, "time": final.block_time_s}, [said])


@identity.command(
    epilog="Example: cocket identity verify chamber.seal.json --trust roots.pem --crl seals.crl --on 2026-12-01"
)
@BINDING
@click.option("--trust", type=EXISTING, required=True, help="The certificates that you trust (PEM).")
@click.option("--crl", "crls", multiple=True, type=EXISTING, help="A certificate revocation list (PEM or DER).")
@on_option
@node_option
@json_option
def verify(
    binding_file: Path, trust: Path, crls: tuple[Path, ...], on: str | None, node_url: str, as_json: bool
) -> None:
    """Say whether a seal was a participant's at a moment: signed, bound, led to whom you trust, not revoked.

    Nothing is fetched: revocation is as the lists that you name have it, and "could not check" where they say nothing.
    Exit code 0: yes; 5: no; 6: something could not be checked.
    """
    from cocket.attestation.identity.seal_verdict import seal_verdict
    from cocket.cli.judging import last_second

    binding = read_binding(binding_file)
    at_s = last_second(parse_when(on)) if on else int(time.time())
    facts = _facts(NodeClient(node_url), binding)
    if on is None and facts is not None:
        at_s = min(at_s, facts.as_of.time_s)
    trusted, lists = read_trusted(trust), [read_crl(path) for path in crls]
    found = seal_verdict(binding, facts, trusted, lists, at_s)
    when = datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    words = {"yes": "GOOD", "no": "NOT GOOD", "could not check": "COULD NOT BE CHECKED IN FULL"}
    lines = [
        f"{words[found.overall]} at {when}: {binding.issuer.subject} as participant {binding.statement.participant}"
    ]
    lines += [
        f"  {label + ':':26}{getattr(found, name).answer} - {getattr(found, name).reason}"
        for name, label in QUESTIONS.items()
    ]
    answer = {
        **found.as_json(),
        "subject": binding.issuer.subject,
        "participant": binding.statement.participant,
        "at": at_s,
    }
    show(as_json, answer, lines)
    if found.overall != "yes":
        raise click.exceptions.Exit(Exit.VERIFICATION_NO if found.overall == "no" else Exit.COULD_NOT_CHECK)


@identity.command(
    epilog="Example: cocket identity did --domain chamber.example --participant 1 --binding chamber.seal.json "
    "--out did.json"
)
@click.option("--domain", required=True, help="Where the document will be served: chamber.example[:port][/path].")
@click.option("--participant", "number", type=click.IntRange(min=1), required=True, help="Whose document it is.")
@click.option("--binding", "binding_file", type=EXISTING, help="The binding of its seal certificate.")
@OUT
@node_option
@json_option
def did(domain: str, number: int, binding_file: Path | None, out: Path, node_url: str, as_json: bool) -> None:
    """Write the did:web document of a participant: its seal, its accounts and its services, as the ledger has them."""
    from cocket.attestation.errors import InvalidFile
    from cocket.attestation.identity.did import did_document, did_web
    from cocket.cli.parties import accounts_of
    from cocket.contracts import access
    from cocket.contracts.access import ServiceKind, participant_party
    from cocket.node.keystore import write_whole

    if out.exists():
        raise CommandError(f"{out} exists; choose another file", Exit.REFUSED)
    client = NodeClient(node_url)
    seal = None
    if binding_file is not None:
        binding = read_binding(binding_file)
        facts = _facts(client, binding)
        if binding.statement.participant != number or facts is None or not facts.bound_from_s or facts.bound_to_s:
            raise CommandError(f"{binding_file}: not the seal of participant {number} on this ledger now", Exit.REFUSED)
        seal = binding.issuer
    accounts = [_checksummed(account) for account in accounts_of(client, number, client.block_number())]
    vault = client.view(access.ADDRESS, access.service_of(participant_party(number), ServiceKind.VAULT))
    services = [("Vault", vault.url)] if vault.url else []
    try:
        name = did_web(domain)
        document = did_document(name.did, client.chain_id(), accounts, seal, services)
    except InvalidFile as error:
        raise CommandError(f"--domain: {error}", Exit.USAGE) from None
    write_whole(out, document, 0o644)
    answer = {"did": name.did, "url": name.url, "accounts": accounts, "has_seal": seal is not None, "file": str(out)}
    show(as_json, answer, [f"{out}: {name.did}", f"serve it as application/did+json at {name.url}"])


def read_binding(path: Path) -> "SealBinding":
    """Read the file of a seal's binding.

    :raises CommandError: it is none.
    """
    from cocket.attestation.identity.binding import BINDING_BYTES_MAX, decode_binding
    from cocket.cli.exchange import naming
    from cocket.cli.files import read_bounded

    with naming(path):
        return decode_binding(read_bounded(path, BINDING_BYTES_MAX))


def read_trusted(path: Path) -> "tuple[x509.Certificate, ...]":
    """Read the certificates that a user trusts.

    :raises CommandError: there are none in the file.
    """
    from cocket.attestation.identity.chain import TRUSTED_BYTES_MAX, trusted_of_pem
    from cocket.cli.exchange import naming
    from cocket.cli.files import read_bounded

    with naming(path):
        return trusted_of_pem(read_bounded(path, TRUSTED_BYTES_MAX))


def read_crl(path: Path) -> "x509.CertificateRevocationList":
    """Read a certificate revocation list.

    :raises CommandError: it is none.
    """
    from cocket.attestation.identity.chain import CRL_BYTES_MAX, crl_of
    from cocket.cli.exchange import naming
    from cocket.cli.files import read_bounded

    with naming(path):
        return crl_of(read_bounded(path, CRL_BYTES_MAX))


def _facts(client: NodeClient, binding: "SealBinding") -> "SealFacts | None":
    """Return what a node's ledger has of a binding, None when it is another ledger's."""
    from cocket.attestation.identity.binding import binding_hash
    from cocket.attestation.identity.seal_verdict import SealFacts
    from cocket.attestation.verdict import BlockPoint
    from cocket.contracts import participants

    statement = binding.statement
    if (statement.chain_id, statement.genesis_hash, statement.contract) != (
        client.chain_id(),
        client.genesis_hash(),
        participants.ADDRESS,
    ):
        return None
    head = client.block_number()
    view = participants.seal_span(statement.participant, binding_hash(binding))
    span = client.view(participants.ADDRESS, view, head)
    return SealFacts(span.bound_from, span.bound_to, BlockPoint(head, client.block_time_s(head)))


def _checksummed(account: bytes) -> str:
    """Return an address as EIP-55 writes it."""
    from cocket.node.chain.hashing import keccak256

    digits = account.hex()
    marks = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(mark, 16) > 7 else digit for digit, mark in zip(digits, marks, strict=False)
    )
