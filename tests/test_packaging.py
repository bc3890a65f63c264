"""What the wheel holds is what the tree holds."""

import ast
import configparser
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOP = ("attestation", "cli", "contracts", "genesis", "network", "node")


def configuration() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_package_is_listed() -> None:
    """An unlisted one imports in an editable install and is silently missing from the wheel."""
    listed = configuration()["options"]["packages"].split()
    found = {
        "cocket." + ".".join(init.parent.relative_to(ROOT).parts)
        for top in TOP
        for init in (ROOT / top).rglob("__init__.py")
    }
    assert listed == sorted(listed)
    assert set(listed) == found


def test_type_checkers_see_every_top_level_package() -> None:
    links = ROOT / "tests" / "typing" / "cocket"
    assert {link.name: link.resolve() for link in links.iterdir()} == {top: ROOT / top for top in TOP}


def test_every_dependency_is_pinned() -> None:
    options = configuration()
    extras = options["options.extras_require"]
    wanted = (
        options["options"]["install_requires"].split()
        + extras["test"].split()
        + extras["s3"].split()
        + extras["hsm"].split()
    )
    assert all("==" in requirement for requirement in wanted)


# Not imported by us, but asked for by name: uvicorn's WebSocket protocol, and the crypto backend of eth-account.
UNSEEN = {"websockets"}
DEVELOPMENT = {"vyper"}


def test_what_is_imported_is_what_is_depended_on() -> None:
    """Neither an import that works by luck of another's dependencies, nor a dependency that nobody uses."""
    imported: set[str] = set()
    for top in TOP:
        for path in (ROOT / top).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module is not None:
                    imported.add(node.module.split(".")[0])
    distributions = packages_distributions()
    third_party = imported - set(sys.stdlib_module_names) - {"cocket"} - DEVELOPMENT
    used = {distributions[name][0].lower().replace("_", "-") for name in third_party}
    listed = {line.split("==")[0] for line in configuration()["options"]["install_requires"].split()}
    optional = configuration()["options.extras_require"]
    extras = {line.split("==")[0] for name in ("s3", "hsm") for line in optional[name].split()}
    assert used == listed - UNSEEN | extras
