"""What the five contracts are constructed with at the founding, and where: for the genesis alone.

It gives initcode; running it, and the founding ceremony itself, are the genesis's. No clock is asked.
"""

from dataclasses import dataclass

from cocket.contracts import access, certificates, consortium, directory, participants
from cocket.contracts.abi import encode_values, interface
from cocket.contracts.artifact import load_artifact
from cocket.contracts.errors import MalformedValue
from cocket.contracts.values import encode_country, encode_name

CERTIFICATE_OF_ORIGIN = 1
"""The document kind whose default right stands from the founding on."""


@dataclass(frozen=True, slots=True)
class Founder:
    """One founding authority."""

    country: str
    keys: consortium.Keys


@dataclass(frozen=True, slots=True)
class Founding:
    """The founding parameters that contracts hold. Founders are numbered from 1 in order and validate from block 0.

    ``spacing_blocks``: least number of blocks between two changes of the validator set. ``participants_deploy``:
    whether participants, and not only authorities, may create contracts. ``right_groups`` and ``right_purposes``: what
    importing authorities may read by right of certificates of origin: what it is, goods and origin, to clear imports,
    judge risks and check the origin. A vote can change it.
    """

    founded_at: int
    founders: tuple[Founder, ...]
    spacing_blocks: int = 10
    proposal_period_s: int = 30 * 86_400
    participants_deploy: bool = False
    right_groups: frozenset[int] = frozenset({0, 2, 3})
    right_purposes: frozenset[int] = frozenset(
        {
            access.Purpose.IMPORT_CLEARANCE,
            access.Purpose.RISK_ANALYSIS,
            access.Purpose.ORIGIN_VERIFICATION,
        }
    )


def founding_initcodes(founding: Founding) -> tuple[tuple[bytes, bytes], ...]:
    """Give (address, initcode with arguments) of each contract, in the order in which the constructors are run.

    What a constructor returns is the code to deploy. The Consortium's initcode grows with the founders, beyond the
    bound for transactions (EIP-3860).
    """
    if not 1 <= len(founding.founders) <= consortium.VALIDATORS_MAX:
        raise MalformedValue(f"founders: {len(founding.founders)}, expected 1 to {consortium.VALIDATORS_MAX}")
    named = {
        directory.CONSORTIUM: consortium.ADDRESS,
        directory.PARTICIPANTS: participants.ADDRESS,
        directory.CERTIFICATES: certificates.ADDRESS,
        directory.ACCESS: access.ADDRESS,
    }
    founders = [(encode_country(founder.country), consortium.keys_tuple(founder.keys)) for founder in founding.founders]
    return (
        (directory.ADDRESS, _initcode("Directory", [encode_name(name) for name in named], list(named.values()))),
        (
            consortium.ADDRESS,
            _initcode(
                "Consortium",
                directory.ADDRESS,
                founding.founded_at,
                founding.spacing_blocks,
                founding.proposal_period_s,
                founding.participants_deploy,
                founders,
            ),
        ),
        (participants.ADDRESS, _initcode("Participants", directory.ADDRESS)),
        (certificates.ADDRESS, _initcode("Certificates", directory.ADDRESS)),
        (
            access.ADDRESS,
            _initcode(
                "Access",
                directory.ADDRESS,
                founding.founded_at,
                CERTIFICATE_OF_ORIGIN,
                access.encode_bits(founding.right_groups, access.GROUPS_MAX, "right_groups"),
                access.encode_bits(founding.right_purposes, access.PURPOSES_MAX, "right_purposes"),
            ),
        ),
    )


def _initcode(name: str, *arguments: object) -> bytes:
    return load_artifact(name).initcode + encode_values(f"{name} constructor", interface(name).constructor, arguments)
