"""A vault's or custodian's home and its ``keeper.toml``: the only module that knows what lies where in it.

::

    HOME/
      keeper.toml           whose it is, where its node and its address are
      keys/account.json     signs the transactions that anchor receipts: of a participant of its own, role service
      keys/encryption.json  opens the seats that records are sealed to
      keys/listing.key      a vault's: makes the capabilities by which subjects list reads of their records
      tls/                  key and certificate of the HTTPS address
      receipts/             the register, and the lock of the running service
      shelf/                a vault's sealed records
      residency/            the countries of a vault's batches, as their controller opened them
"""

import tomllib
from pathlib import Path

import msgspec

from cocket.attestation.kinds import KINDS as DOCUMENT_KINDS
from cocket.node.errors import NodeFault
from cocket.node.vault.anchoring import ANCHOR_S
from cocket.node.vault.rules import HEAD_AGE_S_MAX

CONFIG_BYTES_MAX = 1 << 20
QUOTA_BYTES = 64 << 30
VAULT, CUSTODIAN = "vault", "custodian"
KINDS = (VAULT, CUSTODIAN)
RETENTION_DAYS_MAX = 36_500
_TABLES = ("replacements", "kinds_retention_days")


class KeeperSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything in ``keeper.toml``.

    ``retention_days``: so long a record is kept after it was anchored, whatever its controller says;
    ``kinds_retention_days`` the same for kinds of document that have a time of their own, by the kind's name;
    ``party`` whose records it holds, or which authority's shares; ``replacements`` Access contracts that its operator
    confirmed, by the address of the one that each replaces; ``shelf`` a bucket (``s3://bucket/prefix``) in place of the
    folder, at ``s3_endpoint``.
    """

    kind: str
    party: int
    chain_id: int
    genesis_hash: str
    node: str = "http://127.0.0.1:8545"
    host: str = "127.0.0.1"
    port: int = 8645
    log_level: str = "info"
    anchor_s: int = ANCHOR_S
    head_age_s: int = HEAD_AGE_S_MAX
    quota_bytes: int = QUOTA_BYTES
    retention_days: int = 0
    shelf: str = ""
    s3_endpoint: str = "https://s3.amazonaws.com"
    replacements: dict[str, str] = {}
    kinds_retention_days: dict[str, int] = {}


class KeeperHome:
    """The paths of one home."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def config(self) -> Path:
        """Its settings."""
        return self.path / "keeper.toml"

    @property
    def account(self) -> Path:
        """The key that anchors receipts."""
        return self.path / "keys" / "account.json"

    @property
    def encryption_key(self) -> Path:
        """The key that opens seats."""
        return self.path / "keys" / "encryption.json"

    @property
    def listing_key(self) -> Path:
        """The key of capabilities; it guards what lies beside it in the clear, so that no passphrase is needed."""
        return self.path / "keys" / "listing.key"

    @property
    def certificate(self) -> Path:
        """What it shows who connects."""
        return self.path / "tls" / "certificate.pem"

    @property
    def certificate_key(self) -> Path:
        """The certificate's key; it protects no stored byte, so that no passphrase is needed for it."""
        return self.path / "tls" / "key.pem"

    @property
    def receipts(self) -> Path:
        """The register."""
        return self.path / "receipts"

    @property
    def shelf(self) -> Path:
        """A vault's records."""
        return self.path / "shelf"

    def residency(self, batch: bytes) -> Path:
        """The countries of one batch."""
        return self.path / "residency" / f"{batch.hex()}.json"

    def settings(self) -> KeeperSettings:
        """Read ``keeper.toml``; NodeFault says what is wrong with it, by key."""
        try:
            data = self.config.read_bytes()
        except OSError as error:
            raise NodeFault(f"{self.config}: {error.strerror}; `cocket vault init` makes a home") from None
        return parse_settings(data, str(self.config))


def parse_settings(data: bytes, where: str = "keeper.toml") -> KeeperSettings:
    """Parse the bytes of a ``keeper.toml``; NodeFault says what is wrong with it, by key."""
    if len(data) > CONFIG_BYTES_MAX:
        raise NodeFault(f"{where}: {len(data)} bytes; a settings file has at most {CONFIG_BYTES_MAX}")
    try:
        settings = msgspec.convert(tomllib.loads(data.decode()), KeeperSettings)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise NodeFault(f"{where}: {error}") from error
    for key, is_right, expected in _rules(settings):
        if not is_right:
            found = getattr(settings, key)
            raise NodeFault(f"{where}: {key} is {found!r}; expected {expected}")
    return settings


def format_settings(settings: KeeperSettings) -> str:
    """Return settings as TOML."""
    lines = [
        f"{name} = {msgspec.json.encode(value).decode()}"  # JSON's strings and numbers are TOML's too
        for name in settings.__struct_fields__
        if name not in _TABLES and (value := getattr(settings, name)) is not None
    ]
    for name in _TABLES:
        if table := sorted(getattr(settings, name).items()):
            lines += [f"\n[{name}]", *[" = ".join(msgspec.json.encode(each).decode() for each in row) for row in table]]
    return "\n".join(lines) + "\n"


def octets_of(text: str, length: int) -> bytes:
    """Return so many bytes from ``0x`` and hexadecimal; none when the text is something else."""
    try:
        found = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        return b""
    return found if len(found) == length and text.startswith("0x") else b""


def retention_by_kind(settings: KeeperSettings) -> dict[int, int]:
    """Return the days that records of some kinds are kept, by the kind's number."""
    days = settings.kinds_retention_days
    return {number: days[kind.name] for number, kind in DOCUMENT_KINDS.items() if kind.name in days}


def _rules(settings: KeeperSettings) -> list[tuple[str, bool, str]]:
    replaced = [*settings.replacements, *settings.replacements.values()]
    documents, retained = [kind.name for kind in DOCUMENT_KINDS.values()], settings.kinds_retention_days
    return [
        ("kind", settings.kind in KINDS, f"one of {', '.join(KINDS)}"),
        ("genesis_hash", bool(octets_of(settings.genesis_hash, 32)), "0x and 64 hexadecimal digits"),
        ("port", 0 <= settings.port <= 65535, "0 to 65535"),
        ("log_level", settings.log_level in ("debug", "info", "warning", "error"), "debug, info, warning or error"),
        ("anchor_s", 1 <= settings.anchor_s <= 86400, "1 to 86400 seconds"),
        ("head_age_s", 1 <= settings.head_age_s <= 3600, "1 to 3600 seconds"),
        ("shelf", not settings.shelf or settings.shelf.startswith("s3://"), "nothing, or s3://bucket/prefix"),
        ("retention_days", 0 <= settings.retention_days <= RETENTION_DAYS_MAX, f"0 to {RETENTION_DAYS_MAX} days"),
        (
            "kinds_retention_days",
            all(name in documents and 0 <= days <= RETENTION_DAYS_MAX for name, days in retained.items()),
            f"0 to {RETENTION_DAYS_MAX} days by kind: {', '.join(documents)}",
        ),
        ("quota_bytes", settings.quota_bytes >= 0, "a number of bytes"),
        ("replacements", all(octets_of(each, 20) for each in replaced), "addresses: 0x and 40 hexadecimal digits"),
    ]
