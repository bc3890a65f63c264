"""Four authorities as four processes: what they agree on, and what a kill, a stop and a halt do to it."""

import threading
import time

from e2e.trial import DEADLINE_S, Trial, wait_until

from cocket.cli.processes import stop_all

HALT_LOOK_S = 4.0  # two blocks would have come in this time


def test_four_nodes_make_the_same_blocks(four: Trial) -> None:
    four.wait_height(3)
    assert len(four.block_hashes(3)) == 1
    status = four["KE"].ask("cocket_status")
    assert isinstance(status, dict)
    assert len(status["validators"]) == 4
    assert len(status["peers"]) == 3


def test_what_one_node_is_sent_is_final_at_all(four: Trial) -> None:
    transaction_hash = four.send("SG")
    for country, node in four.nodes.items():
        wait_until(lambda country=country: four.receipt(country, transaction_hash) is not None, f"final at {country}")
        receipt = four.receipt(country, transaction_hash)
        assert receipt is not None
        assert receipt["status"] == "0x1"
        assert node.ask("eth_getTransactionByHash", transaction_hash) is not None
    places = {(r["blockHash"], r["transactionIndex"]) for c in four.nodes if (r := four.receipt(c, transaction_hash))}
    assert len(places) == 1


def test_a_killed_node_is_missed_by_nobody_and_catches_up(four: Trial) -> None:
    four["BR"].kill()
    four.wait_blocks(3, ["KE", "NL", "SG"])
    four.start("BR")
    height = max(four.heights(["KE", "NL", "SG"]))
    four.wait_height(height)
    assert len(four.block_hashes(height)) == 1
    four.wait_blocks(2)


def test_all_killed_at_once_under_load_lose_no_final_block(four: Trial) -> None:
    """Whatever a client saw final before the power cut is there after it, and the chain goes on by itself."""
    sent: list[str] = []
    seen: dict[str, dict[str, str]] = {}
    is_over = threading.Event()

    def load() -> None:
        while not is_over.is_set():
            raw, transaction_hash = four.transfer()
            if four["NL"].ask("eth_sendRawTransaction", "0x" + raw.hex()) != transaction_hash:
                four.resume_nonce("NL")  # a busy machine did not answer in time, or the node is gone
                continue
            sent.append(transaction_hash)
            for earlier in sent[-60:]:
                receipt = None if earlier in seen else four.receipt("NL", earlier)
                if receipt is not None:
                    seen[earlier] = receipt

    thread = threading.Thread(target=load)
    thread.start()
    try:
        wait_until(lambda: len({receipt["blockNumber"] for receipt in seen.values()}) >= 3, "three blocks with load")
    finally:
        for node in four.nodes.values():
            node.kill()
        is_over.set()
        thread.join(DEADLINE_S)
    assert seen
    height = max(int(receipt["blockNumber"], 16) for receipt in seen.values())
    four.start()
    four.wait_height(height + 2)
    for country in four.nodes:
        for transaction_hash, receipt in seen.items():
            found = four.receipt(country, transaction_hash)
            assert found is not None, f"{country} lost {transaction_hash} of block {receipt['blockNumber']}"
            assert found["blockHash"] == receipt["blockHash"]
    # The client's other transactions may have been lost with the pools; its next nonce is what the chain says.
    four.resume_nonce("NL")


def test_three_of_four_go_on(four: Trial) -> None:
    four["SG"].terminate()
    assert four["SG"].wait_stopped()
    four.wait_blocks(4, ["BR", "KE", "NL"])  # a turn of the one that is missing is among them


def test_two_of_four_halt_and_go_on_when_the_others_are_back(four: Trial) -> None:
    stopped = [four["KE"], four["NL"]]
    assert stop_all(stopped) == []
    rest = ["BR", "SG"]
    wait_until(lambda: len(set(four.heights(rest))) == 1, "the rest are level")
    height = max(four.heights(rest))
    end = time.monotonic() + HALT_LOOK_S
    while time.monotonic() < end:
        assert max(four.heights(rest)) <= height + 1  # one that was agreed on before may still arrive
    wait_until(lambda: "no block comes" in four["SG"].log_tail(), "the log tells of it")
    assert "missing=['KE', 'NL']" in four["SG"].log_tail()
    raw, transaction_hash = four.transfer()
    assert four["SG"].ask("eth_sendRawTransaction", "0x" + raw.hex()) == transaction_hash
    assert four.receipt("SG", transaction_hash) is None
    four.start("KE", "NL")
    four.wait_blocks(2)
    for country in four.nodes:
        wait_until(lambda country=country: four.receipt(country, transaction_hash) is not None, f"final at {country}")


def test_all_end_cleanly_on_sigterm_and_begin_again(four: Trial) -> None:
    height = max(four.heights())
    started = time.monotonic()
    assert stop_all(list(four.nodes.values())) == []
    assert time.monotonic() - started < 15
    for node in four.nodes.values():
        assert node.exit_code() == 0
        assert "node stopped" in node.log_tail()
        assert "Traceback" not in node.log.read_text()
    four.start()
    four.wait_height(height + 2)
