"""Every rule of devp2p that this node keeps, its source, and the tests that hold it to it.

The table is checked against the tests, so that it cannot speak of one that is gone; rules that no other file tests are
tested below. Sources: devp2p ``rlpx.md`` and ``caps/eth.md`` (version 68); EIP-8, 706, 2124, 2464 and 2481.
"""

import ast
from pathlib import Path
from typing import Any

import pytest

from cocket.network import hello as p2p
from cocket.network import snappy
from cocket.network.connection import MESSAGE_BYTES_MAX, Left, Ponged
from cocket.network.errors import DisconnectReason

TESTS = Path(__file__).parents[1]

RULES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    # -- handshake and frames
    (
        "rlpx.md, Initial Handshake; EIP-8",
        "auth and ack: versions that differ, further items and padding are ignored",
        (
            "network/test_handshake.py::test_geth_auth_packets_open",
            "network/test_handshake.py::test_geth_ack_packets_open",
        ),
    ),
    (
        "rlpx.md, Initial Handshake",
        "who fails the handshake, or is not known, gets no answer",
        (
            "network/test_connection.py::test_stranger_is_refused_in_the_handshake_and_gets_no_answer",
            "network/test_handshake.py::test_altered_auth_is_refused",
        ),
    ),
    (
        "rlpx.md, Framing",
        "a frame is below 16 MiB; a larger announcement ends the session before its body is read",
        (
            "network/test_frame.py::test_frame_of_the_limit_passes_and_one_more_byte_is_refused_before_its_body",
            "network/test_connection.py::test_oversized_frame_is_refused_by_its_header",
        ),
    ),
    (
        "rlpx.md, MAC",
        "header and body are authenticated before they are decrypted; a wrong mac ends the session",
        (
            "network/test_connection.py::test_tampered_frame_ends_the_session",
            "network/test_connection.py::test_tampered_header_ends_the_session",
            "network/test_frame.py::test_replayed_frame_is_noticed",
        ),
    ),
    # -- messages
    (
        "rlpx.md, Message Encoding; EIP-706",
        "the size that snappy announces is looked at before a byte is unpacked; above the limit the session ends",
        (
            "network/test_connection.py::test_snappy_bomb_is_refused",
            "network/test_connection.py::test_message_of_the_limit_passes_and_one_byte_more_does_not",
            "network/test_devp2p_rules.py::test_our_message_limit_is_within_devp2ps",
        ),
    ),
    (
        "rlpx.md, Message ID-based Multiplexing",
        "ids from 0x10 on are shared out in alphabetic order, the highest common version of each name wins",
        (
            "network/test_hello.py::test_offsets_follow_the_alphabet",
            "network/test_hello.py::test_highest_common_version_wins",
        ),
    ),
    (
        "rlpx.md, Message ID-based Multiplexing",
        "a message id of no shared capability is a breach (0x02)",
        (
            "network/test_connection.py::test_code_outside_the_shared_capabilities_is_a_breach",
            "network/test_devp2p_rules.py::test_reserved_codes_of_the_base_protocol_are_a_breach",
        ),
    ),
    # -- Hello
    (
        "rlpx.md, Hello",
        "Hello or Disconnect comes first, Hello once; anything else is a breach (0x02)",
        (
            "network/test_connection.py::test_wrong_first_message_is_refused",
            "network/test_connection.py::test_second_hello_is_a_breach",
            "network/test_connection.py::test_disconnect_instead_of_hello_is_understood",
        ),
    ),
    (
        "rlpx.md, Hello; EIP-8",
        "further items and a higher version are ignored; a lower one, without snappy, is refused (0x06)",
        (
            "network/test_hello.py::test_further_items_are_ignored",
            "network/test_hello.py::test_right_hello_is_accepted",
            "network/test_hello.py::test_wrong_hello_is_refused_with_the_right_reason",
        ),
    ),
    (
        "rlpx.md, Hello",
        "a node id of zeros (0x07), our own (0x0a), or not the handshake's (0x09) is refused",
        (
            "network/test_hello.py::test_wrong_hello_is_refused_with_the_right_reason",
            "network/test_connection.py::test_node_does_not_talk_to_itself",
            "network/test_peers.py::test_wrong_key_at_an_address_is_noticed",
        ),
    ),
    (
        "rlpx.md, Hello",
        "no shared capability: useless peer (0x03)",
        ("network/test_connection.py::test_no_shared_capability_is_refused",),
    ),
    (
        "rlpx.md, Hello",
        "a Hello of more than 2 KiB, or malformed, is a breach (0x02)",
        ("network/test_hello.py::test_bad_hello_is_refused",),
    ),
    # -- Disconnect
    (
        "rlpx.md, Disconnect",
        "the reason is understood in a list, with further items, alone, compressed or not, or missing",
        (
            "network/test_hello.py::test_other_shapes_of_disconnect_are_understood",
            "network/test_connection.py::test_disconnect_that_is_not_compressed_is_understood",
        ),
    ),
    (
        "rlpx.md, Disconnect",
        "who is sent away has two seconds to go; who is told goes at once",
        (
            "network/test_session.py::test_sessions_open_send_and_leave",
            "network/test_devp2p_rules.py::test_nothing_after_a_disconnect_counts",
        ),
    ),
    (
        "rlpx.md, Disconnect",
        "too many peers (0x04)",
        ("network/test_peers.py::test_one_too_many_is_told_so",),
    ),
    (
        "rlpx.md, Disconnect",
        "already connected (0x05): of two dials that cross both ends keep the same one",
        ("network/test_peers.py::test_two_that_dial_at_once_keep_the_smaller_ones_dial",),
    ),
    (
        "rlpx.md, Disconnect",
        "client quitting (0x08)",
        ("network/test_peers.py::test_close_waits_until_every_stream_is_gone",),
    ),
    (
        "rlpx.md, Disconnect",
        "timeout (0x0b): no Hello in time, no answer to a ping, a frame without end",
        (
            "network/test_session.py::test_silent_dialler_is_dropped_after_ten_seconds",
            "network/test_session.py::test_peer_silent_after_a_ping_is_dropped",
            "network/test_session.py::test_frame_that_comes_a_byte_a_second_ends_the_session",
        ),
    ),
    (
        "rlpx.md, Ping",
        "a Ping is answered with a Pong at once, whatever is in it",
        (
            "network/test_connection.py::test_ping_is_answered",
            "network/test_devp2p_rules.py::test_ping_and_pong_with_further_items_are_taken",
        ),
    ),
    # -- eth
    (
        "caps/eth.md, Status",
        "Status comes first and once; anything else is a breach (0x02); none within 10 s, useless peer (0x03)",
        (
            "node/test_neighbours.py::test_second_status_and_another_networks_are_told_apart",
            "node/test_neighbours.py::test_who_says_no_status_is_dropped_without_blame",
        ),
    ),
    (
        "caps/eth.md, Status; EIP-2124",
        "another network id, genesis, fork or version ends the session (0x10)",
        (
            "node/test_neighbours.py::test_second_status_and_another_networks_are_told_apart",
            "node/protocols/test_eth.py::test_status_of_another_chain_is_refused",
            "node/chain/test_fork_id.py::test_the_eips_rules",
        ),
    ),
    (
        "caps/eth.md, Basic Operation",
        "hard limit of a message 10 MiB; of each kind what its longest honest message takes",
        (
            "node/protocols/test_eth.py::test_more_bytes_than_any_honest_message_of_its_kind_are_not_decoded",
            "node/protocols/test_eth.py::test_the_longest_honest_message_of_its_kind_passes",
        ),
    ),
    (
        "caps/eth.md, BlockHeaders, BlockBodies, PooledTransactions, Receipts",
        "soft limit of an answer 2 MiB, and so many items at most",
        (
            "node/protocols/test_serve.py::test_no_more_is_read_than_the_limit",
            "node/protocols/test_serve.py::test_answer_stops_at_its_soft_size",
        ),
    ),
    (
        "caps/eth.md, Protocol Messages; EIP-2481",
        "an answer mirrors the request's id (64 bits); one that nobody asked for is a breach (0x02), a late one is not",
        (
            "node/test_neighbours.py::test_answer_that_nobody_asked_for_is_refused_before_it_is_decoded",
            "node/test_neighbours.py::test_an_answer_after_its_time_is_late_and_one_that_nobody_asked_for_breaks_the_protocol",
            "node/protocols/test_follow.py::test_unasked_answers_cost_the_session",
        ),
    ),
    (
        "caps/eth.md, Transaction Encoding and Validity",
        "an invalid transaction is discarded and its bringer stays; one of an unknown type ends the session",
        (
            "node/test_neighbours.py::test_transaction_of_a_type_that_nobody_knows_is_a_breach_and_an_invalid_one_is_not",
            "node/test_admission.py::test_what_the_pool_refuses_is_passed_over",
        ),
    ),
    (
        "caps/eth.md, Block Encoding and Validity",
        "an invalid block ends the session",
        ("node/protocols/test_follow_network.py::test_announced_block_that_breaks_a_rule_costs_the_session",),
    ),
    (
        "caps/eth.md, Transaction Exchange; EIP-2464",
        "a transaction is not sent back to who brought or announced it",
        ("node/test_neighbours.py::test_what_a_peer_brought_is_announced_later_to_the_others",),
    ),
)


@pytest.mark.parametrize(("source", "rule", "tests"), RULES, ids=[rule for _, rule, _ in RULES])
def test_each_rule_has_the_tests_it_names(source: str, rule: str, tests: tuple[str, ...]) -> None:
    assert source
    assert tests
    for test in tests:
        path, _, name = test.partition("::")
        tree = ast.parse((TESTS / path).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test


def test_all_reasons_are_those_of_the_specification() -> None:
    assert [int(reason) for reason in DisconnectReason] == [*range(0x0C), 0x10]


def test_our_message_limit_is_within_devp2ps() -> None:
    """Messages above 16 MiB must be refused (rlpx.md); eth's practical limit is 10 MiB (caps/eth.md)."""
    assert MESSAGE_BYTES_MAX == 10 * 1024 * 1024


@pytest.mark.parametrize("code", range(0x04, 0x10))
def test_reserved_codes_of_the_base_protocol_are_a_breach(joined: Any, code: int) -> None:
    joined.listener.receive(joined.dialler._encode(code, snappy.compress(b"\xc0")))
    with pytest.raises(p2p.PeerFault, match="belongs to no shared capability") as caught:
        joined.listener.next_event()
    assert caught.value.reason is DisconnectReason.BREACH_OF_PROTOCOL


@pytest.mark.parametrize("body", [b"\xc0", b"\xc1\x01", b"\xc3\x01\x02\x03", b""])
def test_ping_and_pong_with_further_items_are_taken(joined: Any, body: bytes) -> None:
    for code in (p2p.CODE_PING, p2p.CODE_PONG):
        joined.listener.receive(joined.dialler._encode(code, snappy.compress(body)))
        assert joined.listener.next_event() == Ponged()
    joined.dialler.receive(joined.listener.take_output())
    assert joined.dialler.next_event() == Ponged()
    assert joined.dialler.next_event() is None


def test_nothing_after_a_disconnect_counts(joined: Any) -> None:
    goodbye = joined.dialler._encode(p2p.CODE_DISCONNECT, snappy.compress(b"\xc1\x08"))
    joined.listener.receive(goodbye + joined.dialler.encode("eth", 0, b"late"))
    assert joined.listener.next_event() == Left(DisconnectReason.CLIENT_QUITTING)
    assert joined.listener.next_event() is None
