"""Anvil as an oracle: an EVM with a JSON-RPC in front, started with our genesis, mining one block when told."""

import json
import subprocess
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from evm.world import CHAIN_ID, COINBASE, Allocated

from cocket.node.chain.rules import Fork

FOLDER = Path(__file__).resolve().parents[1] / "oracles" / "anvil"
BINARY = FOLDER / "node_modules" / ".bin" / "anvil"
GAS_LIMIT = 900_000_000


def install() -> None:
    """Install anvil as its lock file says, once."""
    if not BINARY.exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=FOLDER, check=True, capture_output=True)


class Anvil:
    """One anvil process on a genesis of ours, in the rules of one fork."""

    def __init__(self, alloc: Mapping[bytes, Allocated], fork: Fork, base_fee: int = 0) -> None:
        self._folder = tempfile.TemporaryDirectory()
        genesis = Path(self._folder.name) / "genesis.json"
        genesis.write_text(json.dumps(_genesis(alloc, base_fee)))
        options = {
            "--init": str(genesis),
            "--hardfork": fork.name.lower(),
            "--chain-id": str(CHAIN_ID),
            "--port": "0",
            "--accounts": "0",
            "--gas-limit": str(GAS_LIMIT),
            "--block-base-fee-per-gas": str(base_fee),
            "--gas-price": "0",
            "--order": "fifo",
        }
        flags = ["--no-mining", "--disable-default-create2-deployer", "--disable-min-priority-fee"]
        flags += ["--disable-console-log"]
        command = [str(BINARY), *flags, *[part for pair in options.items() for part in pair]]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=self._folder.name)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("Listening on "):
                self._url = f"http://{line.split()[-1]}"
                return
        raise RuntimeError(f"anvil ended: {self._process.wait()}")

    def rpc(self, method: str, *parameters: object) -> Any:
        """Return the result of one request."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
        request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as response:
            answer = json.load(response)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def mine(self, transactions: Sequence[bytes]) -> dict[str, Any]:
        """Put transactions into one block, in this order, and return it."""
        self.rpc("anvil_setCoinbase", "0x" + COINBASE.hex())
        for raw in transactions:
            self.rpc("eth_sendRawTransaction", "0x" + raw.hex())
        self.rpc("evm_mine")
        block: dict[str, Any] = self.rpc("eth_getBlockByNumber", "latest", False)
        assert len(block["transactions"]) == len(transactions)
        return block

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._folder.cleanup()


def _genesis(alloc: Mapping[bytes, Allocated], base_fee: int) -> dict[str, object]:
    return {
        "config": {"chainId": CHAIN_ID},
        "timestamp": "0x60000000",
        "gasLimit": hex(GAS_LIMIT),
        "difficulty": "0x0",
        "baseFeePerGas": hex(base_fee),
        "alloc": {
            "0x" + address.hex(): {
                "balance": hex(account.balance),
                "nonce": hex(account.nonce),
                "code": "0x" + account.code.hex(),
                "storage": {f"0x{slot:064x}": f"0x{value:064x}" for slot, value in account.storage.items()},
            }
            for address, account in alloc.items()
        },
    }
