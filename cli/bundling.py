"""Making a bundle from a node: which headers and proofs, read through the same walk that a verifier runs.

What the node answers is checked on the way, as a verifier would: headers by their seals, state by its proofs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from cocket.attestation.prove import Anchor as Place
from cocket.attestation.prove import Presentation
from cocket.attestation.verdict import BlockPoint
from cocket.cli.client import NodeClient
from cocket.cli.errors import CommandError, Exit
from cocket.contracts import certificates, consortium
from cocket.node.bundle.checkpoint import Checkpoint
from cocket.node.bundle.deployed import open_consortium
from cocket.node.bundle.errors import Unproven
from cocket.node.bundle.file import CHANGES_MAX, Bundle, Change, Founding, Head
from cocket.node.bundle.line import Line, last_change, validate_next, validate_set
from cocket.node.bundle.proof import founding_chain_id, read_facts
from cocket.node.bundle.state import ProvenState, Recorder
from cocket.node.chain.extra_data import decode_extra_data
from cocket.node.chain.header import Header, block_hash, commit_hash, with_seals
from cocket.node.consensus.seals import recover_seal
from cocket.node.consensus.validators import quorum
from cocket.node.errors import InvalidBlock

Progress = Callable[[int, int], None]
"""Told of changes of the validators: how many were found or read, of how many (0: not known yet)."""


def make_bundle(
    client: NodeClient,
    presentation: Presentation,
    anchor: Checkpoint | None = None,
    height: int | None = None,
    progress: Progress = lambda _done, _whole: None,
) -> Bundle:
    """Return the bundle of an anchored presentation as of a height, by default the node's last block.

    It begins at the genesis, or at a checkpoint.

    :raises CommandError: the node cannot be reached, is catching up, or is on another network than the certificate.
    :raises Unproven: what the node answers does not hold, or cannot be proven in a bundle.
    """
    place = presentation.anchor
    if place is None:
        raise CommandError("not anchored, so there is nothing on a ledger to prove", Exit.NOT_FOUND)
    head = _head_number(client, height)
    _require_network(client, place, anchor)
    start: Founding | bytes
    if anchor is None:
        start = _founding(client)
        chain = (client.chain_id(), client.genesis_hash())
        line = Line(0, start.header.timestamp, start.validators)
    else:
        start, chain = anchor.block_hash, (anchor.chain_id, anchor.genesis_hash)
        line = Line(anchor.height, anchor.time_s, anchor.validators)
    if head <= line.height:
        raise CommandError(f"block {head} is not after the anchor, block {line.height}", Exit.USAGE)
    changes = []
    heights = _change_heights(client, line.height, head, progress)
    for number in heights:
        change = read_change(client, number, line)
        line = Line(number, change.header.timestamp, change.validators)
        changes.append(change)
        progress(len(changes), len(heights))
    return Bundle(presentation, start, tuple(changes), _head(client, head, line, place, chain))


def read_header(client: NodeClient, number: int) -> Header:
    """Return a block's header with the seals that the node has.

    :raises CommandError: the node does not have it, or answers with another.
    """
    block = client.block(number)

    def octets(name: str) -> bytes:
        return bytes.fromhex(cast(str, block[name])[2:])

    def whole(name: str) -> int:
        return int(cast(str, block[name]), 16)

    try:
        header = Header(
            parent_hash=octets("parentHash"),
            ommers_hash=octets("sha3Uncles"),
            coinbase=octets("miner"),
            state_root=octets("stateRoot"),
            transactions_root=octets("transactionsRoot"),
            receipts_root=octets("receiptsRoot"),
            logs_bloom=octets("logsBloom"),
            difficulty=whole("difficulty"),
            number=whole("number"),
            gas_limit=whole("gasLimit"),
            gas_used=whole("gasUsed"),
            timestamp=whole("timestamp"),
            extra_data=octets("extraData"),
            mix_hash=octets("mixHash"),
            nonce=octets("nonce"),
            base_fee_per_gas=whole("baseFeePerGas") if "baseFeePerGas" in block else None,
            withdrawals_root=octets("withdrawalsRoot") if "withdrawalsRoot" in block else None,
            blob_gas_used=whole("blobGasUsed") if "blobGasUsed" in block else None,
            excess_blob_gas=whole("excessBlobGas") if "excessBlobGas" in block else None,
            parent_beacon_block_root=octets("parentBeaconBlockRoot") if "parentBeaconBlockRoot" in block else None,
            requests_hash=octets("requestsHash") if "requestsHash" in block else None,
        )
        is_whole = header.number == number and block_hash(header) == octets("hash")
    except (KeyError, TypeError, ValueError, InvalidBlock):
        is_whole = False
    if not is_whole:
        raise CommandError(f"{client.url}: what it gives for block {number} is not a header with that hash")
    return header


def sealed_exactly(header: Header, validators: Sequence[bytes]) -> Header:
    """Return a header with exactly a quorum of its seals, those of the lowest addresses.

    :raises Unproven: it has fewer of these validators.
    """
    digest = commit_hash(header)
    by_author = {}
    for seal in decode_extra_data(header.extra_data).seals:
        try:
            by_author[recover_seal(digest, seal)] = seal
        except ValueError:
            continue  # one that nobody made: the others may be enough
    authors = sorted(author for author in by_author if author in validators)[: quorum(len(validators))]
    if len(authors) < quorum(len(validators)):
        raise Unproven(
            f"block {header.number}: the node's header has the seals of {len(authors)} validators, expected "
            f"{quorum(len(validators))}"
        )
    return with_seals(header, [by_author[author] for author in authors])


def _head_number(client: NodeClient, height: int | None) -> int:
    highest, head = client.syncing_to(), client.block_number()
    if height is None:
        if highest is not None:
            raise CommandError(
                f"{client.url}: this node is catching up (block {head} of {highest}); ask it again when it is level, "
                "or name a --height that it has"
            )
        return head
    if height > head:
        raise CommandError(f"block {height}: the node has {head} blocks only", Exit.NOT_FOUND)
    return height


def _require_network(client: NodeClient, place: Place, anchor: Checkpoint | None) -> None:
    found = client.genesis_hash()
    if place.genesis_hash != found:
        raise CommandError(
            f"{client.url}: this node is on the network of genesis 0x{found.hex()}; the certificate is anchored on "
            f"0x{place.genesis_hash.hex()}",
            Exit.REFUSED,
        )
    if anchor is not None and anchor.genesis_hash != found:
        raise CommandError(f"the checkpoint is of another network, genesis 0x{anchor.genesis_hash.hex()}", Exit.REFUSED)


def _founding(client: NodeClient) -> Founding:
    text = client.ask("cocket_foundingConfiguration")
    if not isinstance(text, str):
        raise Unproven("genesis: block 0 does not have the hash of its configuration, so no bundle can begin there")
    header = read_header(client, 0)
    founding_chain_id(text.encode(), decode_extra_data(header.extra_data))
    state, recorder = _remote_state(client, header)
    validators = client.view(consortium.ADDRESS, consortium.get_validators(), 0)
    validate_set(open_consortium(state), validators, "genesis")
    return Founding(header, text.encode(), validators, recorder.nodes)


def _change_heights(client: NodeClient, first: int, head: int, progress: Progress) -> list[int]:
    """Return the heights above ``first`` and below ``head`` at which the validators changed, ascending."""
    heights: list[int] = []
    at = head - 1
    while at > first:
        changed = client.view(consortium.ADDRESS, consortium.last_set_change(), at)
        if not first < changed <= at:
            break
        if len(heights) == CHANGES_MAX:
            raise Unproven(f"the validators changed more than {CHANGES_MAX} times since the anchor: take a checkpoint")
        heights.append(changed)
        progress(len(heights), 0)
        at = changed - 1
    return heights[::-1]


def read_change(client: NodeClient, number: int, line: Line) -> Change:
    """Return a block as one that changed the validators, whom ``line`` had seal it; whether it did is not looked at.

    :raises Unproven: the node's header or state does not hold.
    """
    header = sealed_exactly(read_header(client, number), line.validators)
    validate_next(line, header)
    state, recorder = _remote_state(client, header)
    contract = open_consortium(state)
    validators = client.view(consortium.ADDRESS, consortium.get_validators(), number)
    validate_set(contract, validators, f"block {number}")
    last_change(contract)
    return Change(header, validators, recorder.nodes)


def _head(client: NodeClient, number: int, line: Line, place: Place, chain: tuple[int, bytes]) -> Head:
    header = sealed_exactly(read_header(client, number), line.validators)
    validate_next(line, header)
    state, recorder = _remote_state(client, header)
    users = _users(client, number, place)
    read_facts(state, place, users, as_of=BlockPoint(number, header.timestamp), chain=chain, line=line)
    return Head(header, users, recorder.nodes)


def _users(client: NodeClient, number: int, place: Place) -> tuple[int, ...]:
    """Return the authorities that have used a share of an item, and not given it back."""
    if client.view(certificates.ADDRESS, certificates.batch(place.batch), number).anchored_at == 0:
        return ()
    if client.view(certificates.ADDRESS, certificates.item(place.batch, place.index), number).used_ppm == 0:
        return ()
    count = client.view(consortium.ADDRESS, consortium.authority_count(), number)
    return tuple(
        authority
        for authority in range(1, count + 1)
        if client.view(certificates.ADDRESS, certificates.used_by(place.batch, place.index, authority), number)
    )


def _remote_state(client: NodeClient, header: Header) -> tuple[ProvenState, Recorder]:
    """Return the state after a block as a node proves it, and what records the proofs."""
    recorder = Recorder()

    def prepare(address: bytes, slot: int | None) -> None:
        slots = [] if slot is None else [hex(slot)]
        answer = client.ask("eth_getProof", "0x" + address.hex(), slots, hex(header.number))
        try:
            found = cast("Mapping[str, list[object]]", answer)
            nodes = [*found["accountProof"]]
            for proof in found["storageProof"]:
                nodes += cast("Mapping[str, list[object]]", proof)["proof"]
            recorder.add(bytes.fromhex(cast(str, node)[2:]) for node in nodes)
        except (KeyError, TypeError, ValueError):
            raise CommandError(f"{client.url}: what it gives for eth_getProof is no proof") from None

    return ProvenState(header.state_root, recorder, f"block {header.number}", prepare), recorder
