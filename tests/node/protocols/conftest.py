"""A real sealed chain, made once, and a long cheap one of headers that link."""

import pytest
from following.lines import Line, make_line
from ledger.chains import RECORDER, Chain, set_slot


@pytest.fixture(scope="session")
def chain() -> Chain:
    """A validator's chain of eight blocks, some empty, with legacy and typed transactions, logs and a create."""
    made = Chain()
    made.extend()
    for number in range(6):
        typed = made.users[1].sign(RECORDER, set_slot(number, 7), max_fee_per_gas=10, max_priority_fee_per_gas=0)
        made.extend(made.users[0].sign(RECORDER, set_slot(number, number)), typed)
    made.extend()
    return made


@pytest.fixture(scope="session")
def line(chain: Chain) -> Line:
    """A thousand blocks."""
    return make_line(chain.genesis.header, chain.head, 1001, 1)


@pytest.fixture(scope="session")
def other_line(chain: Chain, line: Line) -> Line:
    """Another thousand on the same genesis: a liar's."""
    return make_line(chain.genesis.header, chain.head, 1001, 2)


@pytest.fixture(scope="session")
def forked_line(chain: Chain, line: Line) -> Line:
    """A liar's line that leaves the true one after block 5."""
    return make_line(chain.genesis.header, chain.head, 400, 3, line.blocks[:6])
