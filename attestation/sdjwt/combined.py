"""The combined form: ``issuer-signed JWT~disclosure~...~[key binding JWT]`` (RFC 9901, section 4). Judges nothing."""

from __future__ import annotations

from dataclasses import dataclass

from cocket.attestation.disclose import FIELDS_MAX
from cocket.attestation.errors import InvalidFile
from cocket.attestation.sdjwt.unfolding import digest_of
from cocket.attestation.sealing.envelope import GROUPS_MAX

SD_JWT_BYTES_MAX = 8 << 20  # as any certificate or presentation of ours
DISCLOSURES_MAX = FIELDS_MAX + 2 * GROUPS_MAX + 1  # each field; each group and its seed; the country


@dataclass(frozen=True, slots=True)
class Combined:
    """The parts of an SD-JWT; ``binding`` is the text of its key binding JWT, empty when there is none."""

    jwt: str
    disclosures: tuple[str, ...]
    binding: str = ""

    @property
    def unbound(self) -> str:
        """Return the SD-JWT without its key binding: what a key binding signs the digest of."""
        return "~".join((self.jwt, *self.disclosures, ""))

    @property
    def digest(self) -> str:
        """Return the digest that a key binding has as ``sd_hash`` (RFC 9901, section 4.3.1)."""
        return digest_of(self.unbound)

    @property
    def text(self) -> str:
        """Return all of it."""
        return self.unbound + self.binding


def is_sd_jwt(data: bytes) -> bool:
    """Return whether a file looks like an SD-JWT, to tell it from our other files (which are JSON or binary)."""
    return data[:2] == b"ey" and b"~" in data


def split(data: bytes) -> Combined:
    """Return the parts of an SD-JWT in a file, which may end with one line feed; InvalidFile when it is none."""
    data = data.removesuffix(b"\n")
    if len(data) > SD_JWT_BYTES_MAX:
        raise InvalidFile(f"an SD-JWT of {len(data)} bytes; expected at most {SD_JWT_BYTES_MAX}")
    if not data.isascii():
        raise InvalidFile("no SD-JWT: found bytes that are no ASCII")
    first, *others = data.decode().split("~")
    if not others:
        raise InvalidFile("no SD-JWT: found no ~ that ends the issuer's part")
    if len(others) - 1 > DISCLOSURES_MAX:
        raise InvalidFile(f"an SD-JWT of {len(others) - 1} disclosures; expected at most {DISCLOSURES_MAX}")
    return Combined(first, tuple(others[:-1]), others[-1])
