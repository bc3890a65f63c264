"""Each way to a record asks the contract: where Access refuses all, none gives; where it allows all, each does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from other_access import allowing, in_genesis, refusing
from reads import STAND_IN, VAULT_KEY, Reads, open_reads, request_by, wanted
from sealed import random_of

from cocket.attestation.prove import Anchor
from cocket.attestation.reading.exchange import ShareCall, encode_share_call
from cocket.attestation.sealing.custody_file import decode_custody
from cocket.contracts.access import (
    EVERY_INDEX,
    Claim,
    Delegation,
    OrderSignature,
    Purpose,
    Reason,
    Scope,
    ScopeKind,
    authority_party,
    delegation_commitment,
    encode_claim,
    grant_commitment,
    order_digest,
)
from cocket.node.vault.connection import ReadRefused
from cocket.node.vault.declined import Declined
from cocket.node.vault.deposit import open_deposit
from cocket.node.vault.reader import Wanted
from cocket.node.vault.signing import wallet_of

OFFICERS = (b"\x01" * 32, b"\x02" * 32)


@dataclass(frozen=True)
class Way:
    """One way to read a record: whose key asks, and for what."""

    name: str
    key: Callable[[Reads], bytes]
    asked: Callable[[Reads, Anchor], Wanted]


def by_claim(kind: ScopeKind, count: int = 1) -> Callable[[Reads, Anchor], Wanted]:
    """Return what asks by a grant, an engagement or an order that stands on the ledger."""

    def asked(reads: Reads, anchor: Anchor) -> Wanted:
        scope = Scope(
            kind=kind, controller=1, reader=authority_party(1), batch=anchor.batch,
            index=anchor.index if count == 1 else EVERY_INDEX,
            kinds=frozenset(), anchored_from=0, anchored_to=0, groups=frozenset(range(6)),
            purposes=frozenset({Purpose.AUDIT}), daily_cap=10, reference=bytes(32),
            salt=random_of(f"{kind.name} {count}", 16),
        )  # fmt: skip
        commitment = grant_commitment(reads.chain_id, scope)
        kenya = reads.admin("KE")
        reads.commit(commitment, kenya if kind is ScopeKind.ORDER else None)
        officers = []
        for key in OFFICERS if kind is ScopeKind.ORDER else ():
            salt = random_of(key.hex(), 16)
            delegation = Delegation(2, reads.address(key), frozenset({0}), frozenset({Purpose.AUDIT}), salt)
            reads.commit(delegation_commitment(reads.chain_id, delegation), kenya)
            signature = wallet_of(key)(order_digest(commitment))
            officers.append(OrderSignature(delegation, signature[:64] + bytes((signature[64] - 27,))))
        claim = encode_claim(Claim(scope, officers=tuple(officers)))
        first = anchor if count == 1 else replace(anchor, index=0)
        return wanted(first, 2, purpose=Purpose.AUDIT, claim=claim, count=count)

    return asked


WAYS = [
    Way("default right", lambda reads: reads.admin("SG"), lambda _, anchor: wanted(anchor, 2)),
    Way("control", lambda reads: reads.chamber, lambda _, anchor: wanted(anchor, 2, purpose=Purpose.OWN_RECORDS)),
    Way("grant", lambda reads: reads.admin("BR"), by_claim(ScopeKind.GRANT)),
    Way("engagement", lambda reads: reads.admin("BR"), by_claim(ScopeKind.ENGAGEMENT)),
    Way("order", lambda reads: reads.admin("BR"), by_claim(ScopeKind.ORDER)),
    Way("bulk", lambda reads: reads.admin("BR"), by_claim(ScopeKind.GRANT, 64)),
    Way("bulk by engagement", lambda reads: reads.admin("BR"), by_claim(ScopeKind.ENGAGEMENT, 64)),
    Way("stand-in vault", lambda reads: reads.admin("SG"), lambda _, anchor: wanted(anchor, 2, vault=STAND_IN)),
]


@pytest.fixture(scope="module", params=["refusing", "allowing"])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Reads]]:
    code = refusing() if request.param == "refusing" else allowing()
    folder: Path = tmp_path_factory.mktemp(request.param)
    with open_reads(folder, lambda genesis: in_genesis(genesis, code)) as reads:
        yield request.param, reads


@pytest.mark.parametrize("way", WAYS, ids=[way.name for way in WAYS])
def test_each_way_to_a_record_is_decided_by_the_contract(other: tuple[str, Reads], way: Way) -> None:
    name, reads = other
    reads.begin()
    anchor = reads.issue("SG")[0]
    asked = way.asked(reads, anchor)
    if name == "allowing":
        reading = reads.reader(way.key(reads)).read(asked)
        assert {receipt.decision for _, receipt in reading.receipts} == {Reason.BY_GRANT}
        return
    with pytest.raises(ReadRefused) as refused:
        reads.reader(way.key(reads)).read(asked)
    assert refused.value.refusal.code == Reason.NO_GRANT
    given = {name: keeper.register.number for name, keeper in reads.keepers.items()}
    assert sum(given.values()) == 1  # the vault's refusal; no custodian was asked


def test_no_custodian_gives_either_when_the_vault_is_passed_by(
    other: tuple[str, Reads],
) -> None:
    """A reader that has a vault's release from before, of the real contract, gets no mask of a refusing one."""

    name, reads = other
    reads.begin()
    anchor = reads.issue("SG")[0]
    held = reads.holdings.find(anchor.batch, anchor.index)
    assert held is not None
    deposit = open_deposit(held.manifest, held.custody, held.envelope, VAULT_KEY)
    call = request_by(reads, reads.admin("SG"), wanted(anchor, 2))
    body = encode_share_call(
        ShareCall(call.request, call.signature, b"", b"", ((anchor.index, deposit.item),), decode_custody(held.custody))
    )
    for country in ("BR", "KE", "NL", "SG"):
        if name == "allowing":
            assert reads.keepers[country].answer(body)
        else:
            with pytest.raises(Declined) as refused:
                reads.keepers[country].answer(body)
            assert refused.value.refusal.code == Reason.NO_GRANT
