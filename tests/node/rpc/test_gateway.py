"""The whole gateway over a socket: subscriptions, health, and an orderly end."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from single_node import CHAIN_ID, USER_KEYS, USERS, SingleChain, genesis_json, running
from web3 import AsyncWeb3, WebSocketProvider
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from cocket.node.chain.hashing import keccak256
from cocket.node.chain.header import block_hash
from cocket.node.chain.transaction import sign_transaction
from cocket.node.rpc.gateway import RpcGateway

LOGGER = b"\x10" * 20
TOPIC = b"\xaa" * 32
GENESIS = genesis_json(alloc={LOGGER.hex(): {"balance": "0x0", "code": "0x600760005260003560206000a100"}})


def signed(user: int, nonce: int, **fields: object) -> bytes:
    defaults: dict[str, object] = {"gas_limit": 100_000, "to": LOGGER, "data": TOPIC, "max_fee_per_gas": 0}
    return sign_transaction(USER_KEYS[user], chain_id=CHAIN_ID, nonce=nonce, **(defaults | fields))  # type: ignore[arg-type]


def hexed(value: bytes) -> str:
    return "0x" + value.hex()


class Client:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.news: list[dict[str, object]] = []

    async def ask(self, method: str, *params: object) -> object:
        await self._connection.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
        while True:
            message = json.loads(await self._connection.recv())
            if "id" in message:
                assert "result" in message, message
                return message["result"]
            self.news.append(message["params"])

    async def wait_for(self, count: int) -> dict[str, list[object]]:
        """Return the results by subscription once there are so many."""
        while len(self.news) < count:
            self.news.append(json.loads(await self._connection.recv())["params"])
        found: dict[str, list[object]] = {}
        for item in self.news:
            found.setdefault(str(item["subscription"]), []).append(item["result"])
        return found


def run(scenario: Callable[[SingleChain, RpcGateway, Client], Awaitable[None]]) -> None:
    async def main() -> None:
        chain = SingleChain(GENESIS)
        async with running(chain) as gateway, connect(f"ws://127.0.0.1:{gateway.port}", proxy=None) as connection:
            await scenario(chain, gateway, Client(connection))

    asyncio.run(main())


def test_subscribers_are_told_of_transactions_blocks_and_logs_in_order() -> None:
    async def scenario(chain: SingleChain, _gateway: RpcGateway, client: Client) -> None:
        heads = str(await client.ask("eth_subscribe", "newHeads"))
        logs = str(await client.ask("eth_subscribe", "logs", {"address": hexed(LOGGER), "topics": [hexed(TOPIC)]}))
        others = str(await client.ask("eth_subscribe", "logs", {"address": hexed(USERS[0])}))
        pending = str(await client.ask("eth_subscribe", "newPendingTransactions"))
        raws = [signed(1, nonce) for nonce in range(3)]
        for raw in raws:
            await client.ask("eth_sendRawTransaction", hexed(raw))
        found = await client.wait_for(9)
        assert found[pending] == [hexed(keccak256(raw)) for raw in raws]
        told = found[heads]
        assert [head["number"] for head in told if isinstance(head, dict)] == ["0x1", "0x2", "0x3"]
        last = told[-1]
        assert isinstance(last, dict)
        assert last["hash"] == hexed(block_hash(chain.ledger.head))
        assert "transactions" not in last
        receipt = await client.ask("eth_getTransactionReceipt", hexed(keccak256(raws[2])))
        assert isinstance(receipt, dict)
        assert found[logs][-1] == receipt["logs"][0]
        assert others not in found

    run(scenario)


def test_web3_subscribes_too() -> None:
    async def main() -> None:
        async with (
            running(SingleChain(GENESIS)) as gateway,
            AsyncWeb3(WebSocketProvider(f"ws://127.0.0.1:{gateway.port}")) as web3,
        ):
            subscription = await web3.eth.subscribe("logs", {"address": AsyncWeb3.to_checksum_address(LOGGER)})
            sent = await web3.eth.send_raw_transaction(signed(2, 0))
            async for message in web3.socket.process_subscriptions():
                assert message["subscription"] == subscription
                assert bytes(message["result"]["transactionHash"]) == bytes(sent)
                break
            assert await web3.eth.unsubscribe(subscription)

    asyncio.run(main())


def test_health_is_told_to_probes() -> None:
    async def main() -> None:
        async with running(SingleChain(GENESIS)) as gateway:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            body = (await reader.read()).partition(b"\r\n\r\n")[2]
            told = json.loads(body)
            assert told.pop("headAgeSeconds") >= 0
            assert told == {"status": "level", "height": 0, "peers": 0, "chainId": hex(CHAIN_ID)}
            writer.close()
            await writer.wait_closed()

    asyncio.run(main())


def test_stopping_with_work_under_way_ends_in_order() -> None:
    async def main() -> None:
        chain = SingleChain(GENESIS)
        async with running(chain, is_sealing=False) as gateway:
            connection = await connect(f"ws://127.0.0.1:{gateway.port}", proxy=None).__aenter__()
            client = Client(connection)
            await client.ask("eth_subscribe", "newHeads")
            sending = [
                asyncio.create_task(
                    gateway.endpoint.answer(_request("eth_sendRawTransaction", hexed(signed(3, nonce))))
                )
                for nonce in range(200)
            ]
            gateway.on_block(chain.seal())
            await asyncio.sleep(0)
        answers = [json.loads(raw) for raw in await asyncio.gather(*sending) if raw is not None]
        assert len(answers) == 200
        refused = [answer["error"]["code"] for answer in answers if "error" in answer]
        assert set(refused) <= {-32002}
        with pytest.raises(ConnectionClosed):
            await client.wait_for(1000)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def _request(method: str, *params: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
