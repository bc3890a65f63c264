# pragma version ==0.4.3
# pragma evm-version london
"""
@title Directory
@notice Where the other contracts are, and which editions of code lists the authorities have agreed on, by hash.
        It changes only by vote: only the Consortium may write, and it writes only what a proposal decided.
"""

import names

NAMES_MAX: constant(uint256) = 16  # founding names; later ones come one by one, by vote

entries: HashMap[bytes32, address]
name_count: uint256
names_in_order: HashMap[uint256, bytes32]
code_lists: HashMap[bytes32, bytes32]
code_list_since: HashMap[bytes32, HashMap[bytes32, uint256]]

event EntrySet:
    name: indexed(bytes32)
    target: indexed(address)
    previous: address

event CodeListSet:
    name: indexed(bytes32)
    edition: indexed(bytes32)


@deploy
def __init__(founding_names: DynArray[bytes32, NAMES_MAX], targets: DynArray[address, NAMES_MAX]):
    """
    @notice Name the founding contracts. One of them must be the Consortium.
    """
    assert len(founding_names) == len(targets), "directory: names and targets differ"
    for i: uint256 in range(len(founding_names), bound=NAMES_MAX):
        assert self.entries[founding_names[i]] == empty(address), "directory: duplicate name"
        self._set_entry(founding_names[i], targets[i])
    assert self.entries[names.CONSORTIUM] != empty(address), "directory: no consortium"


@external
def setEntry(name: bytes32, target: address):
    """
    @notice Let `name` mean `target` from now on. The Consortium's own name is fixed: the genesis names it to consensus.
    """
    self._only_consortium()
    assert name != names.CONSORTIUM, "directory: fixed name"
    assert target.is_contract, "directory: not a contract"
    self._set_entry(name, target)


@external
def setCodeList(name: bytes32, edition: bytes32):
    """
    @notice Accept an edition (its hash) of a code list. Earlier editions stay accepted: documents record theirs.
    """
    self._only_consortium()
    assert name != empty(bytes32) and edition != empty(bytes32), "directory: zero name or edition"
    assert self.code_list_since[name][edition] == 0, "directory: known edition"
    self.code_list_since[name][edition] = block.timestamp
    self.code_lists[name] = edition
    log CodeListSet(name=name, edition=edition)


@external
@view
def addressOf(name: bytes32) -> address:
    """
    @notice The contract of that name; zero when there is none.
    """
    return self.entries[name]


@external
@view
def addressesOf(first: bytes32, second: bytes32) -> (address, address):
    """
    @notice Two contracts in one call, for paths that are often walked.
    """
    return self.entries[first], self.entries[second]


@external
@view
def nameCount() -> uint256:
    """
    @notice How many names were ever given.
    """
    return self.name_count


@external
@view
def nameAt(position: uint256) -> bytes32:
    """
    @notice The name at that position, in the order in which names were first given; zero beyond the last.
    """
    return self.names_in_order[position]


@external
@view
def codeList(name: bytes32) -> bytes32:
    """
    @notice The newest accepted edition of a code list, as its hash; zero when there is none.
    """
    return self.code_lists[name]


@external
@view
def codeListSince(name: bytes32, edition: bytes32) -> uint256:
    """
    @notice The block time at which this edition was accepted; zero when it never was.
    """
    return self.code_list_since[name][edition]


@external
@pure
def version() -> String[16]:
    """
    @notice The version of this contract's code and interface.
    """
    return "1.0.0"


@internal
@view
def _only_consortium():
    assert msg.sender == self.entries[names.CONSORTIUM], "directory: not the consortium"


@internal
def _set_entry(name: bytes32, target: address):
    assert name != empty(bytes32) and target != empty(address), "directory: zero name or target"
    previous: address = self.entries[name]
    if previous == empty(address):
        self.names_in_order[self.name_count] = name
        self.name_count += 1
    self.entries[name] = target
    log EntrySet(name=name, target=target, previous=previous)
