"""The custodian: answers a reader that may read with its masks of one record, wrapped to the reader's fresh key.

It keeps nothing of the record: the custody that the reader shows holds its seed, wrapped to the custodian's key and
bound to network, contract, batch and threshold. It asks the contract itself; a vault's word counts for nothing here.
"""

from http import HTTPStatus

from cocket.attestation.errors import InvalidFile
from cocket.attestation.reading.answer import wrap_masks
from cocket.attestation.reading.exchange import Share, ShareCall, decode_share_call, encode_share
from cocket.attestation.reading.item import Item, binding_of, validate_item
from cocket.attestation.reading.request import groups_of
from cocket.attestation.sealing.custody import Seat, mask, open_seat
from cocket.attestation.sealing.hpke import Opener
from cocket.node.vault.decision import Judge, Ruling
from cocket.node.vault.declined import declined


class Custodian:
    """What answers a share call, in several threads."""

    def __init__(self, judge: Judge, key: Opener, authority: int, genesis_hash: bytes) -> None:
        """Take what it needs; ``key`` opens the seats of this authority."""
        self._judge = judge
        self._key = key
        self._authority = authority
        self._genesis_hash = genesis_hash

    def share(self, body: bytes) -> bytes:
        """Return the answer to a share call, its receipt on the disk; Declined with what is told instead."""
        call = decode_share_call(body)
        request, indices = call.request, tuple([index for index, _ in call.items])
        ruling = self._judge.rule(request, call.signature, call.claim, call.evidence, indices[0])
        for each in (ruling, *self._judge.rule_each(ruling, call.evidence, indices[1:])):
            self._judge.validate_allowed(each)
        seed = self._seed(call)
        masks = [self._masks(ruling, seed, index, item) for index, item in call.items]
        wrapped = wrap_masks(request, self._authority, masks)
        receipt = self._judge.note_bulk(ruling, indices) if request.count > 1 else self._judge.note(ruling)
        return encode_share(Share(receipt, wrapped))

    def _masks(self, ruling: Ruling, seed: bytes, index: int, item: Item) -> dict[int, bytes]:
        """Return the masks of one record that is at its place in the batch."""
        request = ruling.request
        self._judge.validate_kept(ruling, index)
        try:
            validate_item(item, ruling.batch.participant, request.batch, index)
        except InvalidFile as error:
            raise declined(HTTPStatus.BAD_REQUEST, str(error)) from None
        binding = binding_of(item, self._genesis_hash)
        return {group: mask(seed, binding, group) for group in groups_of(request.groups)}

    def _seed(self, call: ShareCall) -> bytes:
        """Return this custodian's seed in the custody that is shown."""
        request, custody = call.request, call.custody
        contract = self._judge.contract_for(custody.access)
        if (custody.genesis_hash, custody.batch) != (self._genesis_hash, request.batch):
            raise declined(HTTPStatus.BAD_REQUEST, "a custody of another batch or network than the request's")
        if request.access != contract:
            raise declined(
                HTTPStatus.CONFLICT,
                f"contract 0x{contract.hex()} decides about this record, the request names 0x{request.access.hex()}",
            )
        try:
            return open_seat(custody, self._seat(call), self._key)
        except InvalidFile:
            raise declined(HTTPStatus.BAD_REQUEST, "a custody whose seat this custodian's key does not open") from None

    def _seat(self, call: ShareCall) -> Seat:
        for seat in call.custody.custodians:
            if seat.authority == self._authority:
                return seat
        raise declined(HTTPStatus.BAD_REQUEST, f"authority {self._authority} is no custodian of this record")
