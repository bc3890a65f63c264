"""node.toml: what is read, what is refused, and that it is written as it is read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cocket.node.config import Home, PeerSettings, RpcSettings, Settings, format_settings, parse_settings
from cocket.node.errors import NodeFault


def test_a_missing_file_means_the_defaults(tmp_path: Path) -> None:
    assert Home(tmp_path).settings() == Settings()
    assert Settings().rpc.host == "127.0.0.1"


@given(
    st.builds(
        Settings,
        name=st.text(st.characters(codec="ascii", exclude_categories=["C"])),
        rpc=st.builds(RpcSettings, port=st.integers(0, 65535)),
        peers=st.builds(PeerSettings, port=st.integers(0, 65535), static=st.tuples(st.just("enode://x"))),
    )
)
def test_settings_are_read_as_they_are_written(settings: Settings) -> None:
    assert parse_settings(format_settings(settings).encode()) == settings


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"[rpc]\nprot = 1", "prot"),
        (b"[rpc]\nport = 'x'", "port"),
        (b"[rpc]\nport = 70000", r"rpc\.port is 70000"),
        (b"[peers]\nport = -1", r"peers\.port is -1"),
        (b"[rpc", r"node\.toml: "),
        (b"\xff", "utf-8"),
        (b"log_level = 'loud'", "log_level"),
        (b"#" * ((1 << 20) + 1), "bytes"),
        (b"x=" + b"[" * 5000, r"node\.toml: "),
    ],
)
def test_what_is_wrong_is_named(text: bytes, named: str) -> None:
    with pytest.raises(NodeFault, match=named):
        parse_settings(text)
