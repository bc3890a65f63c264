"""The register: no answer without its receipt on the disk, no gap, no nonce twice, whatever becomes of the disk."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from attestation.reading.trial import KEEPER, READER, random_of, receipt_number
from hypothesis import given, settings
from hypothesis import strategies as st
from node.vault.power import TAILS, MortalDisk, PowerCut

from cocket.attestation.reading.receipt import Receipt, decode_receipt, encode_receipt
from cocket.attestation.reading.receipts import NO_ROOT, root_of, verify_history
from cocket.node.errors import Damaged, NodeError, NodeFault, Refused
from cocket.node.store.disk import Disk, FakeDisk, RealDisk
from cocket.node.store.frames import encode_frame
from cocket.node.vault import nonces as nonces_module
from cocket.node.vault import period_file
from cocket.node.vault import register as register_module
from cocket.node.vault.register import ClosedPeriod, Register

FOLDER = Path("/home/receipts")
FIRST = FOLDER / "000000000001.receipts"
GENESIS = b"g" * 32
NOW_S = 1_800_000_000


def opened(
    disk: Disk, folder: Path = FOLDER, now_s: int = NOW_S, anchored: tuple[int, bytes] = (0, NO_ROOT)
) -> Register:
    register = Register(folder, GENESIS, KEEPER, now_s, disk)
    register.agree(*anchored)
    return register


def nonce_of(number: int) -> bytes:
    return random_of(f"nonce {number}", 32)


def drafted(number: int, time_s: int = NOW_S) -> Receipt:
    """Return a receipt as a keeper brings it: without its number."""
    return replace(receipt_number(number), number=0, time_s=time_s)


def append(register: Register, number: int, time_s: int = NOW_S) -> Receipt:
    return register.append(drafted(number, time_s), nonce_of(number), time_s + 60)


def seed_of(sequence: int) -> bytes:
    return random_of(f"seed {sequence}", 32)


@pytest.mark.parametrize("disk", [RealDisk(), FakeDisk()])
def test_receipts_are_numbered_over_periods_and_restarts(disk: Disk, tmp_path: Path) -> None:
    folder = tmp_path / "receipts"
    register = opened(disk, folder)
    assert (register.is_fresh, register.number, register.sequence, register.open_count) == (True, 0, 1, 0)
    written = [append(register, number) for number in range(3)]
    one = register.close_period(seed_of(1), NOW_S + 1)
    written.append(append(register, 3))
    register.close()
    register = opened(disk, folder, anchored=(one.sequence, one.root))
    assert (register.is_fresh, register.number, register.sequence, register.open_count) == (False, 4, 2, 1)
    two = register.close_period(seed_of(2), NOW_S + 2)
    three = register.close_period(seed_of(3), NOW_S + 3)
    written.append(append(register, 4))
    assert [receipt.number for receipt in written] == [0, 1, 2, 3, 4]
    periods = [register.period(sequence) for sequence in (1, 2, 3)]
    assert [receipt for period in periods for receipt in period.receipts] == [
        encode_receipt(each) for each in written[:4]
    ]
    assert [root_of(period) for period in periods] == [one.root, two.root, three.root]
    assert list(verify_history(KEEPER, periods, {1: one.root, 2: two.root, 3: three.root})) == []
    register.close()


def test_the_real_files_are_for_their_owner_only(tmp_path: Path) -> None:
    register = opened(RealDisk(), tmp_path / "receipts")
    register.close()
    assert (tmp_path / "receipts").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "receipts" / FIRST.name).stat().st_mode & 0o777 == 0o600


def test_a_nonce_is_taken_once_from_each_reader() -> None:
    register = opened(FakeDisk())
    append(register, 1)
    assert register.is_used(READER, nonce_of(1))
    assert not register.is_used(READER, nonce_of(2))
    with pytest.raises(Refused, match="nonce was used before: sign a new request"):
        append(register, 1)
    other = replace(drafted(1), reader=b"o" * 20)
    assert register.append(other, nonce_of(1), NOW_S + 60).number == 1
    assert append(register, 2).number == 2


def test_a_nonce_is_remembered_over_restarts_and_periods_until_it_expires() -> None:
    disk = FakeDisk()
    register = opened(disk)
    append(register, 1)  # until NOW_S + 60
    for sequence in range(1, 5):
        register.close_period(seed_of(sequence), NOW_S + 10 * sequence)
    register = opened(disk, now_s=NOW_S + 40)
    assert register.is_used(READER, nonce_of(1))
    with pytest.raises(Refused, match="nonce was used before"):
        append(register, 1, NOW_S + 40)
    append(register, 2, NOW_S + 61)
    assert not register.is_used(READER, nonce_of(1))
    with pytest.raises(Refused, match="the request expires at 1800000060, it is 1800000061"):
        register.append(drafted(1, NOW_S + 61), nonce_of(1), NOW_S + 60)
    assert not opened(disk, now_s=NOW_S + 61).is_used(READER, nonce_of(1))


@pytest.mark.parametrize(("ahead_s", "is_taken"), [(-1, False), (0, True), (300, True), (301, False)])
def test_an_expiry_is_near(ahead_s: int, is_taken: bool) -> None:
    register = opened(FakeDisk())
    if is_taken:
        assert register.append(drafted(0), nonce_of(0), NOW_S + ahead_s).number == 0
    else:
        with pytest.raises(Refused, match="expected up to 300 s from now"):
            register.append(drafted(0), nonce_of(0), NOW_S + ahead_s)
        assert append(register, 1).number == 0


def test_a_clock_that_goes_back_makes_no_expired_request_good_again() -> None:
    disk = FakeDisk()
    register = opened(disk)
    append(register, 1, NOW_S)
    append(register, 2, NOW_S + 61)
    assert append(register, 3, NOW_S + 40).time_s == NOW_S + 61  # a small step: time stands still
    with pytest.raises(Refused, match="the request expires at 1800000060, it is 1800000061"):
        register.append(drafted(1, NOW_S + 31), nonce_of(1), NOW_S + 60)  # 30 s back, and its nonce is forgotten
    with pytest.raises(Refused, match="says 1800000030, its last entry is of 1800000061: set its clock"):
        append(register, 4, NOW_S + 30)
    with pytest.raises(Refused, match="set its clock"):
        register.close_period(seed_of(1), NOW_S + 30)
    with pytest.raises(Refused, match=r"the clock says 1800000030, .*: set the clock"):
        opened(disk, now_s=NOW_S + 30)
    assert opened(disk, now_s=NOW_S + 31).number == 3


def test_too_many_requests_at_once_are_refused_and_later_ones_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nonces_module, "NONCES_MAX", 3)
    register = opened(FakeDisk())
    for number in range(3):
        append(register, number)
    with pytest.raises(Refused, match="3 requests came in the last 300 s: try again later"):
        append(register, 3)
    assert append(register, 3, NOW_S + 61).number == 3


def test_a_full_period_is_to_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register_module, "RECEIPTS_MAX", 2)
    register = opened(FakeDisk())
    assert [append(register, number).number for number in range(2)] == [0, 1]
    with pytest.raises(Refused, match="it must be closed first"):
        append(register, 2)
    register.close_period(seed_of(1), NOW_S)
    assert append(register, 2).number == 2


def test_what_only_a_bug_brings_is_a_fault_and_harms_nothing() -> None:
    register = opened(FakeDisk())
    for receipt, nonce in (
        (replace(drafted(0), keeper=KEEPER + 1), nonce_of(0)),
        (drafted(0), b"short"),
        (replace(drafted(0), groups=0), nonce_of(0)),
    ):
        with pytest.raises(NodeFault):
            register.append(receipt, nonce, NOW_S)
    assert append(register, 0).number == 0


# ---- the ledger's last anchored root


def test_nothing_is_written_before_it_agrees_with_the_ledger() -> None:
    disk = FakeDisk()
    register = Register(FOLDER, GENESIS, KEEPER, NOW_S, disk)
    for _ in range(2):
        with pytest.raises(Refused, match="it was not compared with the ledger's last anchored root"):
            append(register, 0)
        with pytest.raises(Refused, match="it was not compared"):
            register.close_period(seed_of(1), NOW_S)
    register.agree(0, NO_ROOT)
    assert append(register, 0).number == 0


def test_an_older_copy_and_another_history_are_refused() -> None:
    disk = FakeDisk()
    register = opened(disk)
    append(register, 0)
    one = register.close_period(seed_of(1), NOW_S)
    files = {path: disk.content(path) for path in (FIRST, FIRST.with_name("000000000002.receipts"))}
    two = register.close_period(seed_of(2), NOW_S)
    assert [register.agrees_with(*each) for each in ((0, NO_ROOT), (1, one.root), (2, two.root))] == [True] * 3
    assert not register.agrees_with(3, b"r" * 32)

    copy = FakeDisk()
    for path, content in files.items():
        copy.open(path).append(content)
    restored = Register(FOLDER, GENESIS, KEEPER, NOW_S, copy)
    with pytest.raises(Refused, match="has its period 2, this copy ends with 1: it is an older copy, restore"):
        restored.agree(2, two.root)
    with pytest.raises(Refused, match="does not agree"):
        append(restored, 1)
    restored.agree(1, one.root)
    assert append(restored, 1).number == 1

    other = restored.close_period(seed_of(3), NOW_S)
    assert other.sequence == two.sequence
    with pytest.raises(Refused, match=r"it is another history, restore the one that was anchored, .* no second vault"):
        restored.agree(2, two.root)
    with pytest.raises(Refused, match="does not agree"):
        append(restored, 2)
    register.agree(2, two.root)
    assert append(register, 1).number == 1


def test_closed_periods_that_are_not_anchored_are_told() -> None:
    disk = FakeDisk()
    register = opened(disk)
    assert register.closed_after(0) == ()
    roots = [register.close_period(seed_of(sequence), NOW_S) for sequence in (1, 2, 3)]
    for found in (register, opened(disk)):
        assert found.closed_after(0) == tuple(roots)
        assert found.closed_after(2) == (roots[2],)
        assert found.closed_after(3) == ()
    assert roots[0] == ClosedPeriod(1, register.root_of(1))


def test_a_period_that_is_not_closed_is_not_given() -> None:
    register = opened(FakeDisk())
    register.close_period(seed_of(1), NOW_S)
    assert register.period(1).receipts == ()
    for sequence in (0, 2):
        with pytest.raises(Refused, match="1 are closed"):
            register.period(sequence)
        with pytest.raises(Refused, match="1 are closed"):
            register.root_of(sequence)


# ---- the disk


class Trial:
    """A keeper that appends, closes and sends, and what it answered and sent."""

    def __init__(self, disk: MortalDisk) -> None:
        self.disk = disk
        self.answered: dict[int, int] = {}  # request -> number
        self.sent: list[ClosedPeriod] = []
        self.asked = 0

    def run(self) -> None:
        register = opened(self.disk)
        for _ in range(2):
            for _ in range(2):
                self.ask(register)
            self.sent.append(register.close_period(seed_of(register.sequence), NOW_S))
        self.ask(register)

    def ask(self, register: Register) -> None:
        self.asked += 1
        self.answered[self.asked] = append(register, self.asked).number


def operations() -> int:
    disk = MortalDisk()
    Trial(disk).run()
    return disk.count


def judged(trial: Trial, disk: FakeDisk) -> None:
    """Hold what is on the disk to what was answered and sent, and go on from there."""
    anchored = (trial.sent[-1].sequence, trial.sent[-1].root) if trial.sent else (0, NO_ROOT)
    register = opened(disk, anchored=anchored)
    for asked in trial.answered:
        assert register.is_used(READER, nonce_of(asked))
        with pytest.raises(Refused, match="nonce was used before"):
            append(register, asked)
    assert register.number in (len(trial.answered), len(trial.answered) + 1)  # one may be written and not answered
    following = append(register, 100)
    assert following.number == register.number - 1
    register.close_period(seed_of(99), NOW_S)
    periods = [register.period(sequence) for sequence in range(1, register.sequence)]
    roots = {each.sequence: each.root for each in register.closed_after(0)}
    assert list(verify_history(KEEPER, periods, roots)) == []
    assert [each for each in trial.sent if roots[each.sequence] != each.root] == []
    numbered = {each.number: each for period in periods for each in map(decode_receipt, period.receipts)}
    for asked, number in trial.answered.items():
        assert numbered[number] == replace(drafted(asked), number=number)


def test_the_trial_by_itself_stands() -> None:
    disk = MortalDisk()
    trial = Trial(disk)
    trial.run()
    assert (len(trial.answered), len(trial.sent)) == (5, 2)
    judged(trial, disk)


@pytest.mark.parametrize(("torn", "zeroed"), TAILS)
def test_a_power_cut_before_any_operation(torn: int, zeroed: bool) -> None:
    for left in range(operations()):
        disk = MortalDisk(left)
        trial = Trial(disk)
        with pytest.raises(PowerCut):
            trial.run()
        disk.revive(torn, zeroed)
        judged(trial, disk)


def test_a_disk_that_fails_at_any_operation_answers_nothing_more_until_a_restart() -> None:
    for left in range(operations()):
        disk = MortalDisk(left, OSError(5, "input/output error"))
        trial = Trial(disk)
        with pytest.raises(NodeFault, match="input/output error"):
            trial.run()
        disk.revive(0, is_zeroed=False)
        judged(trial, disk)


def test_after_a_failed_write_nothing_is_taken() -> None:
    disk = MortalDisk()
    register = opened(disk)
    disk.left, disk.error = disk.count, OSError(5, "input/output error")
    with pytest.raises(NodeFault, match="nothing more is answered; make room on the disk, or replace it"):
        append(register, 0)
    disk.left = None
    with pytest.raises(NodeFault, match="no write after one that failed"):
        append(register, 1)
    with pytest.raises(NodeFault, match="no write after one that failed"):
        register.close_period(seed_of(1), NOW_S)


def test_an_interrupted_write_is_taken_for_a_failed_one() -> None:
    disk = MortalDisk()
    register = opened(disk)
    disk.left = disk.count + 1  # between the write and its sync
    with pytest.raises(PowerCut):
        append(register, 0)
    disk.left = None
    with pytest.raises(NodeFault, match=r"one that failed \(it was interrupted\)"):
        append(register, 1)


def test_a_full_disk_answers_nothing_and_goes_on_when_there_is_room() -> None:
    disk = FakeDisk()
    register = opened(disk)
    append(register, 0)
    size = len(disk.content(FIRST))
    for room in (0, 1, 100, 250):
        disk.room_bytes = room
        with pytest.raises(Refused, match="the disk is full: make room, nothing is answered before"):
            append(register, 1)
        assert len(disk.content(FIRST)) == size
        disk.room_bytes = 10
        with pytest.raises(Refused, match="the disk is full"):
            register.close_period(seed_of(1), NOW_S)
    disk.room_bytes = None
    assert append(register, 1).number == 1
    disk.crash()
    assert opened(disk).number == 2


def test_damage_is_named_and_not_cut() -> None:
    disk = FakeDisk()
    register = opened(disk)
    starts = []
    for number in range(3):
        starts.append(len(disk.content(FIRST)))
        append(register, number)
    disk.spoil(FIRST, starts[1] + 30)
    with pytest.raises(NodeFault, match=f"bad frame at byte {starts[1]}: it is damaged; restore it"):
        opened(disk)
    disk.spoil(FIRST, starts[1] + 30)
    assert opened(disk).number == 3
    disk.spoil(FIRST, 20)
    with pytest.raises(NodeFault, match="bad header: it is damaged"):
        opened(disk)


def test_a_damaged_or_missing_closed_period_is_named_and_the_rest_goes_on() -> None:
    disk = FakeDisk()
    register = opened(disk)
    append(register, 0)
    for sequence in (1, 2, 3):
        register.close_period(seed_of(sequence), NOW_S + 400 * sequence)
    disk.spoil(FIRST, len(disk.content(FIRST)) - 1)
    register = Register(FOLDER, GENESIS, KEEPER, NOW_S + 1200, disk)
    with pytest.raises(Damaged, match=r"000000000001\.receipts: it does not end with its root; put it back"):
        register.period(1)
    disk.spoil(FIRST, 30)
    with pytest.raises(Damaged, match=r"000000000001\.receipts: bad header"):
        register.period(1)
    disk.remove(FIRST)
    with pytest.raises(Damaged, match=r"000000000001\.receipts: it is not there; put it back"):
        register.root_of(1)
    register.agree(3, register.root_of(3))
    assert register.append(drafted(1, NOW_S + 1200), nonce_of(1), NOW_S + 1200).number == 1


def test_a_missing_period_whose_nonces_may_be_in_use_is_named() -> None:
    disk = FakeDisk()
    register = opened(disk)
    append(register, 0)
    register.close_period(seed_of(1), NOW_S)
    lost = disk.content(FIRST)
    disk.remove(FIRST)
    with pytest.raises(NodeFault, match="it is not there; put it back from a copy: nonces in it may be in use"):
        opened(disk)
    disk.open(FIRST).append(lost[:-1])
    with pytest.raises(NodeFault, match="it does not end with its root"):
        opened(disk)
    disk.open(FIRST).append(lost[-1:])
    assert opened(disk).is_used(READER, nonce_of(0))


def test_a_frame_that_is_whole_and_false_is_damage() -> None:
    """Nobody's disk makes one; a hand or a bug does."""
    for record in (b"", b"\x01abc", b"\x02", b"\x03" * 300, b"\x01" + bytes(247)):
        disk = FakeDisk()
        register = opened(disk)
        disk.open(FIRST).append(encode_frame(register.number, [record], len(disk.content(FIRST))))
        with pytest.raises(NodeFault, match="no receipt 0 where it must be: it is damaged"):
            opened(disk)
    disk = FakeDisk()
    opened(disk)
    disk.open(FIRST).append(encode_frame(1, [], len(disk.content(FIRST))))
    with pytest.raises(NodeFault, match="receipt 1 where 0 must be: it is damaged"):
        opened(disk)
    disk = FakeDisk()
    opened(disk).close_period(seed_of(1), NOW_S)
    disk.open(FIRST).append(b"more")
    disk.remove(FIRST.with_name("000000000002.receipts"))
    with pytest.raises(NodeFault, match="bad frame at byte"):
        opened(disk)


def test_the_register_of_another_is_refused() -> None:
    disk = FakeDisk()
    opened(disk)
    with pytest.raises(Refused, match="use the home that belongs to this chain"):
        Register(FOLDER, b"o" * 32, KEEPER, NOW_S, disk)
    with pytest.raises(Refused, match="it is of party 2, this keeper is 3: use its own home"):
        Register(FOLDER, GENESIS, 3, NOW_S, disk)
    disk.rename(FIRST, FIRST.with_name("000000000002.receipts"))
    with pytest.raises(NodeFault, match="it is of period 1: give it its name back"):
        opened(disk)


def test_another_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FakeDisk()
    opened(disk)
    known = period_file.FORMAT_VERSION
    monkeypatch.setattr(period_file, "FORMAT_VERSION", known + 1)
    with pytest.raises(Refused, match=f"format {known} found, this program reads {known + 1}: use its program"):
        opened(disk)


@settings(max_examples=100)
@given(tail=st.binary(max_size=120))
def test_any_tail_is_cut_or_named(tail: bytes) -> None:
    disk = FakeDisk()
    append(opened(disk), 0)
    disk.open(FIRST).append(tail)
    try:
        again = opened(disk)
    except NodeError:
        return
    assert (again.number, again.torn_bytes) == (1, len(tail))


@given(data=st.binary(max_size=200))
@settings(max_examples=50)
def test_any_file_is_read_or_named(data: bytes) -> None:
    disk = FakeDisk()
    disk.open(FIRST).append(data)
    with pytest.raises(NodeFault, match="bad header"):
        opened(disk)


# ---- several at once


class SlowDisk(FakeDisk):
    """A fake disk whose syncs wait to be let through."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Semaphore(1 << 20)
        self.entered = threading.Semaphore(0)

    def _count_sync(self) -> None:
        self.entered.release()
        self.gate.acquire()
        super()._count_sync()


def test_what_waits_goes_to_the_disk_with_one_sync() -> None:
    disk = SlowDisk()
    register = opened(disk)
    while disk.entered.acquire(blocking=False):
        pass
    disk.gate = threading.Semaphore(0)
    before = disk.sync_count
    numbers: list[int] = []
    threads = [
        threading.Thread(target=lambda number=number: numbers.append(append(register, number).number))
        for number in range(9)
    ]
    threads[0].start()
    disk.entered.acquire()  # the first one is at its sync
    for thread in threads[1:]:
        thread.start()
    while len(register._waiting) < 8:
        pass
    disk.gate.release()
    disk.entered.acquire()  # and now the others at theirs, all together
    assert numbers in ([], [0])
    disk.gate.release()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(9))
    assert disk.sync_count - before == 2
    disk.gate.release(1000)
    assert opened(disk).number == 9


def test_of_those_that_wait_together_each_gets_its_own_answer() -> None:
    """A nonce that two bring at once is taken of one."""
    disk = FakeDisk()
    register = opened(disk)
    outcomes: list[int | str] = []

    def ask(number: int) -> None:
        try:
            outcomes.append(append(register, number).number)
        except Refused as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=ask, args=(number // 2,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [each for each in outcomes if isinstance(each, int)]
    assert sorted(numbers) == list(range(10))
    assert len(outcomes) == 20
    assert opened(disk).number == 10
