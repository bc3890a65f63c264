"""Encryption keys in a hardware module: the one door to PKCS #11; the extra ``cocket[hsm]``.

The module makes the key and never gives it: it does one Diffie-Hellman at a time for who knows its PIN. The file of
such a key names module, token and label, and has the public key in the clear like any other encryption key's.
"""

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pkcs11
from pkcs11.exceptions import PKCS11Error
from pkcs11.types import DeriveMixin
from pkcs11.util.ec import encode_named_curve_parameters

from cocket.attestation.errors import InvalidFile
from cocket.attestation.sealing.hpke import PublicKey, Suite, decode_public_key
from cocket.node.errors import NodeFault, Refused, Unavailable
from cocket.node.keystore import read_object, write_whole

FORMAT = "cocket-hardware-key-1"
LABEL_MAX = 64
_POINT = b"\x04\x41"
"""DER of an octet string with 65 bytes, as modules wrap a point."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key is: the module's library, the token's label in it, the key's label in that."""

    module: Path
    token: str
    label: str

    def __str__(self) -> str:
        return f"key {self.label!r} of token {self.token!r} in {self.module}"


class HardwareKey:
    """A P-256 key in a module, open for one process; for several threads, one at a time."""

    def __init__(self, place: Place, pin: str) -> None:
        """Log in. Refused: no such token or key, or a wrong PIN; Unavailable: the module does not answer."""
        self._place = place
        self._lock = threading.Lock()
        self._session = _open(place, pin)
        try:
            self._key, self.public = self._found()
        except BaseException:
            self._session.close()
            raise

    def __repr__(self) -> str:
        return f"HardwareKey({self._place})"

    def agree(self, point: bytes) -> bytes:
        """Return the Diffie-Hellman value with an uncompressed point; Unavailable when the module fails."""
        template = {
            pkcs11.Attribute.SENSITIVE: False, pkcs11.Attribute.EXTRACTABLE: True, pkcs11.Attribute.TOKEN: False,
        }  # fmt: skip
        parameters = (pkcs11.KDF.NULL, None, point)
        try:
            with self._lock:
                derived = self._key.derive_key(
                    pkcs11.KeyType.GENERIC_SECRET, 256, mechanism_param=parameters, template=template
                )
                value: bytes = derived[pkcs11.Attribute.VALUE]
                derived.destroy()
        except PKCS11Error as error:
            raise Unavailable(f"{self._place}: {type(error).__name__}") from error
        return value

    def close(self) -> None:
        """Log out."""
        self._session.close()

    def _found(self) -> tuple[DeriveMixin, PublicKey]:
        kinds = (pkcs11.ObjectClass.PRIVATE_KEY, pkcs11.ObjectClass.PUBLIC_KEY)
        try:
            private, public = [
                self._session.get_key(object_class=kind, key_type=pkcs11.KeyType.EC, label=self._place.label)
                for kind in kinds
            ]
            point = bytes(public[pkcs11.Attribute.EC_POINT])
            return cast(DeriveMixin, private), decode_public_key(Suite.P256, point.removeprefix(_POINT))
        except (pkcs11.NoSuchKey, pkcs11.MultipleObjectsReturned) as error:
            what = type(error).__name__
            raise Refused(f"{self._place}: {what}; `cocket keys hardware` makes one with --new") from None
        except InvalidFile:
            raise Refused(f"{self._place}: no key of P-256, which HPKE needs") from None
        except PKCS11Error as error:
            raise Unavailable(f"{self._place}: {type(error).__name__}") from error


def new_hardware_key(place: Place, pin: str) -> None:
    """Make a key in a module, which never gives it. Refused: there is one of that label, no such token, a wrong PIN."""
    session = _open(place, pin, is_writer=True)
    try:
        if any(session.get_objects({pkcs11.Attribute.LABEL: place.label})):
            raise Refused(f"{place}: it exists; a key is never overwritten: choose another label")
        parameters = session.create_domain_parameters(
            pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}, local=True
        )
        private = {pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False}
        parameters.generate_keypair(
            store=True, label=place.label, capabilities=pkcs11.MechanismFlag.DERIVE, private_template=private
        )
    except PKCS11Error as error:
        raise Unavailable(f"{place}: {type(error).__name__}") from error
    finally:
        session.close()


def save_hardware_key(path: Path, place: Place, public: PublicKey) -> None:
    """Write the file that says where a key is; nothing in it is secret. Refused when there is such a file."""
    if path.exists():
        raise Refused(f"{path} exists; choose another name or move it away")
    document = {
        "format": FORMAT,
        "suite": public.suite.value,
        "public_key": "0x" + public.encoded.hex(),
        "module": str(place.module),
        "token": place.token,
        "label": place.label,
    }
    write_whole(path, json.dumps(document, indent=1).encode() + b"\n")


def load_hardware_key(path: Path, pin: str) -> HardwareKey:
    """Open the key that a file names.

    :raises NodeFault: the file is none of a hardware key's, or the module has another key there than it says.
    :raises Refused: no such token or key, or a wrong PIN.
    """
    document = read_object(path)
    texts = [document.get(name) for name in ("module", "token", "label")]
    if document.get("format") != FORMAT or not all(isinstance(text, str) for text in texts):
        raise NodeFault(f"{path}: no hardware key's file; `cocket keys hardware` makes one")
    module, token, label = map(str, texts)
    key = HardwareKey(Place(Path(module), token, label), pin)
    if (document.get("suite"), document.get("public_key")) != (key.public.suite.value, "0x" + key.public.encoded.hex()):
        key.close()
        raise NodeFault(f"{path}: the module has another key under {label!r} than the file says")
    return key


def _open(place: Place, pin: str, *, is_writer: bool = False) -> pkcs11.Session:
    if not place.module.is_absolute() or not place.module.is_file():
        raise Refused(f"{place.module}: no PKCS #11 library there; name it whole, like /usr/lib/softhsm/libsofthsm2.so")
    try:
        token = pkcs11.lib(str(place.module)).get_token(token_label=place.token)
        return token.open(user_pin=pin, rw=is_writer)
    except (pkcs11.NoSuchToken, pkcs11.MultipleTokensReturned):
        raise Refused(f"{place.module}: no one token of label {place.token!r}") from None
    except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange, pkcs11.PinLocked) as error:
        raise Refused(f"{place}: the PIN does not open the token ({type(error).__name__})") from None
    except (PKCS11Error, RuntimeError, OSError) as error:
        raise Unavailable(f"{place}: {type(error).__name__}") from error
