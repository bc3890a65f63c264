"""What the authorities agree on before anybody makes a key: the ceremony's parameters, one file that all hold."""

import re

import msgspec

from cocket.genesis.canonical import decode_strict, digest_of, encode_canonical
from cocket.genesis.errors import InvalidRecord

AUTHORITIES_MAX = 64  # the list in Consortium has this bound
TRANSACTION_GAS_MIN = 2_500_000  # below it nobody could ever be admitted: a full keys record costs up to 2.1 million
_COUNTRY = re.compile(r"[A-Z]{2}")


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """The agreed parameters.

    ``countries`` are ISO 3166 alpha-2 codes, ascending. Times are seconds since 1970-01-01 UTC. ``contracts`` maps a
    contract's name to the keccak of its creation code, so that all found the network on the same contracts.
    """

    ceremony: str
    chain_id: int
    countries: tuple[str, ...]
    timestamp: int
    contracts: dict[str, str]
    block_period_seconds: int = 2
    request_timeout_seconds: int = 4
    request_timeout_max_seconds: int = 30
    gas_limit: int = 20_000_000
    per_transaction_gas_limit: int = 8_000_000

    def validate(self) -> None:
        """Raise InvalidRecord when a parameter is out of its range, named."""
        countries = self.countries
        checks = (
            (0 < len(self.ceremony) <= 100, "ceremony: expected a name of 1 to 100 characters"),
            (1 <= self.chain_id < 1 << 53, f"chainId: expected 1 to 2^53-1, found {self.chain_id}"),
            (
                1 <= len(countries) <= AUTHORITIES_MAX,
                f"countries: expected 1 to {AUTHORITIES_MAX}, found {len(countries)}",
            ),
            (all(_COUNTRY.fullmatch(c) for c in countries), "countries: expected ISO 3166 alpha-2 codes like KE"),
            (list(countries) == sorted(set(countries)), "countries: expected each once, in ascending order"),
            (0 < self.timestamp < 1 << 40, f"timestamp: expected seconds since 1970, found {self.timestamp}"),
            (1 <= self.block_period_seconds <= 3600, "blockPeriodSeconds: expected 1 to 3600"),
            (
                2 * self.block_period_seconds
                <= self.request_timeout_seconds
                <= self.request_timeout_max_seconds
                <= 3600,
                "requestTimeoutSeconds: expected at least two block periods and at most requestTimeoutMaxSeconds",
            ),
            (
                TRANSACTION_GAS_MIN <= self.per_transaction_gas_limit <= self.gas_limit < 1 << 53,
                f"gasLimit: expected perTransactionGasLimit ({TRANSACTION_GAS_MIN:,} or more) to fit in it",
            ),
        )
        for holds, complaint in checks:
            if not holds:
                raise InvalidRecord(f"parameters: {complaint}")

    def digest(self) -> bytes:
        """Return the 32 bytes that stand for these parameters in every signature of the ceremony."""
        return digest_of("parameters", encode_canonical(self))


def encode_parameters(parameters: Parameters) -> bytes:
    """Return the canonical bytes of a parameters file."""
    return encode_canonical(parameters)


def decode_parameters(data: bytes, what: str = "parameters") -> Parameters:
    """Read a parameters file.

    :raises InvalidRecord: malformed or out of range.
    """
    parameters = decode_strict(data, Parameters, what)
    parameters.validate()
    return parameters
