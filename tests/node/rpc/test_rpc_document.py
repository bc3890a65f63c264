"""docs/rpc.md names every method and every code, and nothing that does not exist."""

import re
from pathlib import Path

from single_node import SingleChain

from cocket.node.rpc import errors
from cocket.node.rpc.gateway import RpcGateway
from cocket.node.rpc.status import StandaloneStatus

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "rpc.md").read_text()


def test_the_document_names_every_method_and_no_other() -> None:
    chain = SingleChain()
    offered = set(RpcGateway(chain.ledger, chain.pool, StandaloneStatus()).endpoint.dispatcher.methods)
    named = set(re.findall(r"`((?:eth|net|web3|qbft|txpool|cocket)_\w+)", DOCUMENT))
    assert named == offered


def test_the_document_has_every_code() -> None:
    codes = {str(kind.code) for kind in errors.RpcError.__subclasses__()}
    table = DOCUMENT.partition("## Errors")[2].partition("HTTP itself")[0]
    assert codes == set(re.findall(r"(?<=[|,] )(-?\d+)(?=[ ,])", table))
