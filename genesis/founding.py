"""Gathering: parameters and records become genesis.json, the same bytes on every machine that gathers them.

The only module that knows what a founding genesis holds. Contract state at block 0 is what the contracts' own
constructors produce when they are run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from cocket.contracts.artifact import load_artifact
from cocket.contracts.consortium import ADDRESS as CONSORTIUM
from cocket.contracts.consortium import Keys, Node
from cocket.contracts.founding import Founder as ContractFounder
from cocket.contracts.founding import Founding, founding_initcodes
from cocket.genesis.errors import CeremonyRefused
from cocket.genesis.parameters import Parameters
from cocket.genesis.record import Founder, Record, verify_record
from cocket.node.chain.extra_data import ExtraData, encode_extra_data
from cocket.node.chain.spec import Fork, Genesis, configuration_hash, parse_genesis
from cocket.node.chain.state import EmptyState
from cocket.node.chain.vm import BlockContext, run_constructor

CONTRACT_NAMES = ("Directory", "Consortium", "Participants", "Certificates", "Access")
MIX_HASH = "0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365"  # what QBFT headers carry
SPACING_BLOCKS = 10  # the validator set changes by at most one in so many blocks; a vote can change it
FOUNDING_GAS = 1 << 40
"""No block holds the constructors: what a founding writes grows with its authorities, 1,400,000 gas for each."""
PROPOSAL_PERIOD_S = 30 * 86400


@dataclass(frozen=True, slots=True)
class Founded:
    """What gathering gives: the file's bytes, the genesis they mean, and the founders in order of country."""

    genesis_json: bytes
    genesis: Genesis
    founders: tuple[Founder, ...]


def contract_code_hashes() -> dict[str, str]:
    """Return the keccak of each contract's creation code, for the parameters (``0x`` hex by name)."""
    return {name: "0x" + load_artifact(name).code_hash.hex() for name in CONTRACT_NAMES}


def gather(parameters: Parameters, records: Sequence[Record]) -> Founded:
    """Return the genesis that these parameters and records mean; their order does not matter.

    :raises InvalidRecord: a record is malformed or wrongly signed.
    :raises CeremonyRefused: an authority is missing or doubled, a key serves twice, or our contracts are others.
    """
    parameters.validate()
    _validate_contracts(parameters)
    founders = tuple(
        sorted((verify_record(record, parameters) for record in records), key=lambda founder: founder.country)
    )
    _validate_founders(parameters, founders)
    genesis_json = _format(parameters, _allocate(parameters, founders))
    return Founded(genesis_json, parse_genesis(genesis_json), founders)


def _validate_contracts(parameters: Parameters) -> None:
    ours = contract_code_hashes()
    if parameters.contracts != ours:
        different = sorted(
            name for name in {*ours, *parameters.contracts} if ours.get(name) != parameters.contracts.get(name)
        )
        raise CeremonyRefused(
            f"contracts: the parameters name other code for {', '.join(different)} than this cocket carries; "
            "all authorities must found with the same version"
        )


def _validate_founders(parameters: Parameters, founders: tuple[Founder, ...]) -> None:
    countries = [founder.country for founder in founders]
    if len(set(countries)) < len(countries):
        raise CeremonyRefused(f"records: more than one for {next(c for c in countries if countries.count(c) > 1)}")
    missing = [country for country in parameters.countries if country not in countries]
    if missing:
        raise CeremonyRefused(f"records: none yet for {', '.join(missing)}")
    seen: dict[object, str] = {}
    for founder in founders:
        named: list[tuple[str, object]] = [
            ("admin address", founder.admin),
            ("validator address", founder.validator),
            ("node id", founder.node_id),
            ("endpoint", founder.endpoint),
            ("encryption key", founder.encryption_key.encoded),
        ]
        for name, value in named:
            if value in seen:
                raise CeremonyRefused(f"records: the {name} of {founder.country} is already the {seen[value]}")
            seen[value] = f"{name} of {founder.country}"


def _allocate(parameters: Parameters, founders: tuple[Founder, ...]) -> dict[str, dict[str, object]]:
    founding = Founding(
        founded_at=parameters.timestamp,
        spacing_blocks=SPACING_BLOCKS,
        proposal_period_s=PROPOSAL_PERIOD_S,
        participants_deploy=False,
        founders=tuple(ContractFounder(country=founder.country, keys=_keys(founder)) for founder in founders),
    )
    context = BlockContext(
        number=0,
        timestamp=parameters.timestamp,
        coinbase=bytes(20),
        gas_limit=FOUNDING_GAS,
        base_fee=0,
        fork=Fork.LONDON,  # what the contracts are compiled for
        chain_id=parameters.chain_id,
        mix_hash=bytes.fromhex(MIX_HASH[2:]),
        block_hash_of=lambda _number: None,
        zero_base_fee=True,
    )
    alloc: dict[str, dict[str, object]] = {}
    for address, initcode in founding_initcodes(founding):
        written = run_constructor(context, EmptyState(), address, initcode)
        account = written.accounts[address]
        if account is None or set(written.accounts) != {address}:
            raise CeremonyRefused(f"constructor at 0x{address.hex()}: it wrote outside its own account")
        slots = written.storage.get(address, {})
        alloc[address.hex()] = {
            "balance": "0x0",
            "nonce": hex(account.nonce),
            "code": "0x" + written.codes[account.code_hash].hex(),
            "storage": {f"0x{slot:064x}": f"0x{value:064x}" for slot, value in sorted(slots.items()) if value},
        }
    return alloc


def _keys(founder: Founder) -> Keys:
    return Keys(
        admin=founder.admin,
        validator=founder.validator,
        seal_certificate=founder.seal_certificate_hash,
        encryption_suite=founder.encryption_key.suite,
        encryption_key=founder.encryption_key.encoded,
        nodes=(Node(node_id=founder.node_id, endpoint=founder.endpoint),),
    )


def _format(parameters: Parameters, alloc: dict[str, dict[str, object]]) -> bytes:
    permission = {"contract": "0x" + CONSORTIUM.hex(), "fromBlock": 1}
    config: dict[str, object] = {
        "chainId": parameters.chain_id,
        "berlinBlock": 0,
        "londonBlock": 0,
        "shanghaiTime": 0,
        "cancunTime": 0,
        "zeroBaseFee": True,
        "qbft": {
            "blockperiodseconds": parameters.block_period_seconds,
            "requesttimeoutseconds": parameters.request_timeout_seconds,
            "epochlength": 30000,
            "blockreward": "0x0",
            "pertxgaslimit": parameters.per_transaction_gas_limit,
            "validatorcontractaddress": "0x" + CONSORTIUM.hex(),
        },
        "cocket": {
            "ceremony": parameters.ceremony,
            "permission": permission,
            "requestTimeoutMaxSeconds": parameters.request_timeout_max_seconds,
        },
    }
    extra_data = ExtraData(vanity=configuration_hash(config), validators=(), vote=None, round=0, seals=())
    genesis = {
        "config": config,
        "nonce": "0x0",
        "timestamp": hex(parameters.timestamp),
        "gasLimit": hex(parameters.gas_limit),
        "difficulty": "0x1",
        "mixHash": MIX_HASH,
        "coinbase": "0x" + bytes(20).hex(),
        "parentHash": "0x" + bytes(32).hex(),
        "extraData": "0x" + encode_extra_data(extra_data).hex(),
        "alloc": alloc,
    }
    return msgspec.json.format(msgspec.json.encode(genesis, order="sorted"), indent=1) + b"\n"
