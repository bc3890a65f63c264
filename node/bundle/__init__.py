"""Offline bundles: what a ledger says of one certificate, with all that proves it from an anchor one already has.

PURE, and without the engine: no network, disk, clock or py-evm. Who makes a bundle (``cli``) reads its node through
the same code that a verifier runs, so nothing is carried that is not needed and nothing needed is left out.
(``docs/formats.md``; ADR 20.)
"""
