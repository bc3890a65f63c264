"""What the wheel holds is what the tree holds."""

import configparser
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
    wanted = options["options"]["install_requires"].split() + options["options.extras_require"]["test"].split()
    assert all("==" in requirement for requirement in wanted)
