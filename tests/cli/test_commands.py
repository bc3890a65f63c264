"""What every command owes its user: an example, one JSON object, an exit code from the table, a help that is quick."""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from command import cocket

from cocket.cli import errors
from cocket.cli.errors import EXIT_CODES, CommandError, Exit, exit_code
from cocket.cli.main import NOUNS
from cocket.cli.main import cocket as root

NOT_FOR_HELP = ("web3", "eth", "eth_account", "vyper", "plyvel", "starlette", "uvicorn", "msgspec", "cryptography")


def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from walk(found, (*path, name))
    else:
        yield path, command


COMMANDS = dict(walk(root, ()))
IDS = [" ".join(path) for path in COMMANDS]


def test_the_issue_s_commands_are_there() -> None:
    wanted = """
        network create; network up; genesis record; genesis gather; genesis confirm; genesis show; node run;
        keys new; keys list; keys import; keys export; authority list; authority propose admit; authority vote;
        authority activate; participant accredit; participant suspend; participant list; certificate check;
        certificate issue; certificate show; certificate withdraw; certificate supersede; certificate use;
        certificate verify; status
    """
    assert [name for line in wanted.split(";") if tuple(name := line.split()) not in COMMANDS] == []


@pytest.mark.parametrize("path", COMMANDS, ids=IDS)
def test_every_command_has_an_example_that_parses(path: tuple[str, ...]) -> None:
    """Its words are known: command, options and number of arguments; files need not be there."""
    command = COMMANDS[path]
    assert command.epilog
    example = command.epilog.removeprefix("Example: ")
    assert example != command.epilog
    words = shlex.split(example)
    assert words[: 1 + len(path)] == ["cocket", *path]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert [word for word in words if word.startswith("--") and word not in known] == []
    given = {word for word in words if word.startswith("--")}
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.required:
            assert given & {*parameter.opts, *parameter.secondary_opts}, f"the example lacks {parameter.opts[0]}"
    answer = cocket(*path, "--help")
    assert answer.code == 0
    assert "Example: cocket" in answer.out


@pytest.mark.parametrize("path", COMMANDS, ids=IDS)
def test_every_command_speaks_json_and_describes_itself(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert "--json" in {option for parameter in command.params for option in parameter.opts}
    assert command.help
    undescribed = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
    assert undescribed == []


@pytest.mark.parametrize("path", COMMANDS, ids=IDS)
def test_an_unknown_option_is_usage(path: tuple[str, ...]) -> None:
    answer = cocket(*path, "--no-such-option", "--json")
    assert answer.code == Exit.USAGE
    assert "--no-such-option" in answer.err
    found = json.loads(answer.out)
    assert found["exit_code"] == Exit.USAGE
    assert "--no-such-option" in found["error"]


def test_help_lists_every_noun_and_imports_little() -> None:
    program = (
        "import sys; sys.argv = ['cocket', '--help']\n"
        "from cocket.cli.main import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    print(sorted(m.split('.')[0] for m in sys.modules), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for noun, about in NOUNS.items():
        assert noun in ran.stdout
        assert about.split(",")[0] in ran.stdout
    loaded = ast_list(ran.stderr)
    assert [name for name in NOT_FOR_HELP if name in loaded] == []


def ast_list(text: str) -> set[str]:
    import ast

    found = ast.literal_eval(text.strip().splitlines()[-1])
    assert isinstance(found, list)
    return set(found)


def test_nouns_say_of_themselves_what_the_list_says() -> None:
    for noun in NOUNS:
        answer = cocket(noun, "--help")
        assert answer.code == 0
        assert "Usage: " in answer.out


@pytest.mark.parametrize("words", [(), ("nonsense",), ("keys",), ("keys", "nonsense"), ("--nonsense",)])
def test_a_command_line_that_names_no_command_is_usage(words: tuple[str, ...]) -> None:
    assert cocket(*words).code == Exit.USAGE


def test_version() -> None:
    answer = cocket("--version")
    assert answer.code == 0
    assert "cocket" in answer.out


# -- exit codes --------------------------------------------------------------------------------------------------------


def test_the_table_names_errors_that_exist() -> None:
    import importlib

    for name in EXIT_CODES:
        module, _, kind = name.rpartition(".")
        assert issubclass(getattr(importlib.import_module(module), kind), Exception), name


def test_the_docstring_is_the_table() -> None:
    assert errors.__doc__ is not None
    rows = [line.split() for line in errors.__doc__.splitlines() if line[:1].isdigit()]
    assert [int(row[0]) for row in rows] == [int(code) for code in Exit]


def test_every_error_of_ours_has_a_code() -> None:
    """A kind of error that is in no row would be shown as a fault of ours."""
    import cocket.attestation.errors
    import cocket.contracts.errors
    import cocket.genesis.errors
    import cocket.network.errors
    import cocket.node.errors

    rooms = (
        cocket.attestation.errors,
        cocket.contracts.errors,
        cocket.genesis.errors,
        cocket.network.errors,
        cocket.node.errors,
    )
    for room in rooms:
        for kind in vars(room).values():
            if isinstance(kind, type) and issubclass(kind, Exception) and kind.__module__ == room.__name__:
                assert exit_code(kind.__new__(kind)) is not None, kind


def test_a_command_s_own_code_wins_and_a_fault_has_none() -> None:
    assert exit_code(CommandError("x", Exit.NOT_FOUND)) is Exit.NOT_FOUND
    assert exit_code(FileNotFoundError()) is Exit.NOT_FOUND
    assert exit_code(PermissionError()) is Exit.FAILED
    assert exit_code(ZeroDivisionError()) is None
