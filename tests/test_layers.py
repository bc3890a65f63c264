"""The direction of imports and the one door of each third party, held by a test instead of a drawing."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOP = ("attestation", "cli", "contracts", "genesis", "network", "node")
LEAVES = ("attestation", "contracts", "network")

# Which of our packages a package may import; the longest matching name rules.
MAY_IMPORT = {
    "cli": ("attestation", "contracts", "genesis", "network", "node", "cli"),
    "genesis": (
        "contracts",
        "genesis",
        "attestation.errors",
        "attestation.sealing.hpke",
        "node.chain",
        "node.config",
        "node.encryption_key",
        "node.errors",
        "node.keystore",
        "node.signer",
    ),
    "node": ("node", "network", "contracts", "attestation"),
    "node.consensus": (
        "node.consensus",
        "node.errors",
        "node.chain.block",
        "node.chain.extra_data",
        "node.chain.hashing",
        "node.chain.header",
        "node.chain.rlp_codec",
    ),
    "node.bundle": (
        "node.bundle",
        "node.errors",
        "node.chain.account",
        "node.chain.extra_data",
        "node.chain.genesis_config",
        "node.chain.hashing",
        "node.chain.header",
        "node.chain.json_section",
        "node.chain.rlp_codec",
        "node.chain.trie",
        "node.consensus.seals",
        "node.consensus.validators",
        "contracts",
        "attestation",
    ),
    **{leaf: (leaf,) for leaf in LEAVES},
}
SHELL = "node.service"
NEVER_THE_SHELL = ("node.chain", "node.consensus", "node.protocols", "node.rpc", "node.store", "node.vault")
IMPURE = {
    "asyncio",
    "time",
    "random",
    "secrets",
    "os",
    "socket",
    "logging",
    "structlog",
    "pathlib",
    "threading",
    "uuid",
}
PURE = (
    "attestation",
    "node.bundle",
    "node.consensus",
    "node.diagnosis",
    "node.findings",
    "node.judgement",
    "node.observations",
)
DOORS = {
    "eth": ("node.chain.vm",),
    "trie": (),
    "plyvel": ("node.store",),
    "starlette": ("node.http_server", "node.rpc.server", "node.vault.server"),
    "uvicorn": ("node.http_server",),
    "vyper": ("contracts.compile",),
    "segno": ("cli.printing",),
    "pkcs11": ("node.hardware_key",),
    "minio": ("node.vault.object_shelf",),
    "urllib3": ("node.vault.object_shelf",),
    "structlog": ("node.service", "node.log"),
    "logging": ("node.service", "node.log"),
}


def is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def modules() -> Iterator[tuple[str, Path]]:
    for top in TOP:
        for path in sorted((ROOT / top).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield name.removesuffix(".__init__"), path


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MODULES = list(modules())


@pytest.mark.parametrize(("name", "path"), MODULES, ids=[name for name, _ in MODULES])
def test_a_module_imports_only_what_its_room_may(name: str, path: Path) -> None:
    room = max((package for package in MAY_IMPORT if is_in(name, package)), key=len)
    for imported in imports(path):
        ours = imported.removeprefix("cocket.") if imported.startswith("cocket.") else None
        if ours is not None:
            assert any(is_in(ours, allowed) for allowed in MAY_IMPORT[room]), f"{name} imports {imported}"
            if any(is_in(name, package) for package in NEVER_THE_SHELL):
                assert not is_in(ours, SHELL), f"{name} imports the shell"
            continue
        top = imported.split(".")[0]
        if any(is_in(name, package) for package in PURE):
            assert top not in IMPURE, f"{name} is pure and imports {top}"
        if top in DOORS:
            assert any(is_in(name, door) for door in DOORS[top]), f"{name} imports {top} past its door {DOORS[top]}"


def test_the_rules_speak_of_packages_that_exist() -> None:
    names = {name for name, _ in MODULES}
    for package in (*MAY_IMPORT, *NEVER_THE_SHELL, *PURE):
        assert any(is_in(name, package) for name in names), package
