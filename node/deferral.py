"""Modules of others that are imported when something of theirs is first used: most starts of ours never use them.

py-evm and eth_account import curves (BLS12-381, alt_bn128's pairing) that compute tables as they are imported: most of
the time a command or a node took to start. No fork of ours has the first; the second is ours (``chain.vm.pairing``).
"""

import importlib
import sys
import threading
from types import ModuleType
from typing import Any, Final

_CURVES: Final = (
    "eth.precompiles.bls12_381",  # Prague's
    "py_ecc.bls",  # of key files of version 4
    "py_ecc.bls12_381.bls12_381_pairing",
    "py_ecc.optimized_bn128.optimized_pairing",
)
_importing: Final = threading.RLock()


class _Deferred(ModuleType):
    """In a module's place until something of it is used."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):  # asked of every module when it is imported
            raise AttributeError(name)
        return _Member(self, name)


class _Member:
    """In the place of something that ``from module import name`` took: a function that can be called, or a class."""

    def __init__(self, module: _Deferred, name: str) -> None:
        self._module = module
        self._name = name

    def __call__(self, *args: object, **options: object) -> object:
        return self._real()(*args, **options)

    def __getattr__(self, name: str) -> object:
        return getattr(self._real(), name)

    def _real(self) -> Any:
        return getattr(_imported(self._module), self._name)


def _imported(deferred: _Deferred) -> ModuleType:
    with _importing:
        # All of them: the modules inside of one may import those inside of another.
        for name in _CURVES:
            if isinstance(sys.modules.get(name), _Deferred):
                del sys.modules[name]
        return importlib.import_module(deferred.__name__)


def defer_curves() -> None:
    """Have the curves imported at their first use, those that are not there yet: before ``eth`` or ``eth_account``."""
    for name in _CURVES:
        if name not in sys.modules:
            sys.modules[name] = _Deferred(name)
