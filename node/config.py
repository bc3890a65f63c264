"""A node's home folder and its ``node.toml``: the only module that knows what lies where in a home.

::

    HOME/
      genesis.json        the network
      node.toml           this node's settings; every key has a safe default
      keys/*.json         encrypted Web3 Secret Storage, mode 0600
      passphrase          opens the keys (mode 0600); another place by ``keys.passphrase_file``
      custodian/          encryption.json and its own passphrase: a custodian's, put here by the founding only
      data/               the database, the signing journal and the lock

It never reads keys and never opens the database.
"""

import tomllib
from pathlib import Path

import msgspec

from cocket.node.errors import NodeFault

LOG_LEVELS = ("debug", "info", "warning", "error")
CONFIG_BYTES_MAX = 1 << 20  # a settings file is a page; what is larger is not one


class RpcSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where JSON-RPC listens. Loopback only unless the operator says otherwise; there is no password on it."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = 8545
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")


class PeerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where RLPx listens, and peers beside those that the ledger lists (``enode://`` URLs)."""

    host: str = "127.0.0.1"
    port: int = 30303
    static: tuple[str, ...] = ()


class KeySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the encrypted keys and their passphrase lie, relative to the home."""

    validator: str = "keys/validator.json"
    node: str = "keys/node.json"
    passphrase_file: str = "passphrase"  # noqa: S105 - a path


class PoolSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Bounds of the transaction pool."""

    bytes_max: int = 64 << 20
    transactions_per_sender_max: int = 1024


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything in ``node.toml``."""

    name: str = ""
    validates: bool = True
    genesis_hash: str = ""
    log_level: str = "info"
    rpc: RpcSettings = RpcSettings()
    peers: PeerSettings = PeerSettings()
    keys: KeySettings = KeySettings()
    pool: PoolSettings = PoolSettings()


class Home:
    """The paths of one node's home."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def genesis(self) -> Path:
        """The network's ``genesis.json``."""
        return self.path / "genesis.json"

    @property
    def config(self) -> Path:
        """This node's ``node.toml``."""
        return self.path / "node.toml"

    @property
    def encryption_key(self) -> Path:
        """The key of the authority's custodian where the founding makes it; no node reads it."""
        return self.path / "custodian" / "encryption.json"

    @property
    def data(self) -> Path:
        """Database, journal and lock."""
        return self.path / "data"

    def settings(self) -> Settings:
        """Read ``node.toml``; a missing file means all defaults.

        :raises NodeFault: what is wrong with the file, by key.
        """
        return parse_settings(self.config.read_bytes(), str(self.config)) if self.config.exists() else Settings()


def parse_settings(data: bytes, where: str = "node.toml") -> Settings:
    """Parse the bytes of a ``node.toml``.

    :raises NodeFault: not TOML, or an unknown key, or a value of the wrong type, named.

    >>> parse_settings(b'[rpc]\\nport = 9545').rpc.port
    9545
    """
    if len(data) > CONFIG_BYTES_MAX:
        raise NodeFault(f"{where}: {len(data)} bytes; a settings file has at most {CONFIG_BYTES_MAX}")
    try:
        settings = msgspec.convert(tomllib.loads(data.decode()), Settings)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise NodeFault(f"{where}: {error}") from error
    if settings.log_level not in LOG_LEVELS:
        raise NodeFault(f"{where}: log_level is {settings.log_level!r}; expected one of {', '.join(LOG_LEVELS)}")
    for key, port in (("rpc.port", settings.rpc.port), ("peers.port", settings.peers.port)):
        if not 0 <= port <= 65535:
            raise NodeFault(f"{where}: {key} is {port}; expected 0 to 65535")
    return settings


def format_settings(settings: Settings) -> str:
    """Write settings as TOML, the keys that differ from the defaults."""
    lines: list[str] = []
    sections: list[str] = []
    defaults = Settings()
    for field in settings.__struct_fields__:
        value, default = getattr(settings, field), getattr(defaults, field)
        if isinstance(value, msgspec.Struct):
            changed = [
                f"{name} = {_format_value(getattr(value, name))}"
                for name in value.__struct_fields__
                if getattr(value, name) != getattr(default, name)
            ]
            if changed:
                sections.append("\n".join([f"\n[{field}]", *changed]))
        elif value != default:
            lines.append(f"{field} = {_format_value(value)}")
    return "\n".join([*lines, *sections]) + "\n"


def _format_value(value: object) -> str:
    # JSON's strings, numbers, booleans and arrays are TOML's too.
    return msgspec.json.encode(value).decode()
