"""The ``cocket`` command. Each noun is a module, imported only when it is used, so that ``--help`` answers at once."""

import importlib
import sys
from typing import NoReturn

import click

# noun -> (module, what it is about); each module has a click group or command of the noun's name.
NOUNS = {
    "access": "Grant, delegate and withdraw reads; list what stands; explain why a reader may or may not read.",
    "audit": "Hold receipts of reads to what was anchored of them.",
    "authority": "List authorities; propose, vote on and execute changes; take a validator seat.",
    "certificate": "Check, issue, show, withdraw, supersede, use and verify certificates of origin.",
    "custodian": "Run a custodian, which lets records open when the contract says yes.",
    "doctor": "Say why blocks do not come: who is missing, whose clock is off, who disagrees on what.",
    "engagement": "Audit engagements: draft, sign, commit, show, end.",
    "document": "Seal certificates for a vault and custodians; recover, re-wrap, encrypt anew.",
    "genesis": "Found a network together: record, gather, confirm, show.",
    "identity": "Seal certificates (X.509) of participants; did:web.",
    "keys": "Make, list, import and export encrypted keys.",
    "ledger": "Carry a chain by file: export its blocks, import them into another home; vouch for a block.",
    "network": "A whole network on this machine, for trying out.",
    "node": "Run a node.",
    "participant": "Accredit, suspend and list chambers, exporters, ports, carriers and auditors.",
    "status": "Height, round, validators, peers and pool of a node.",
    "vault": "Run a vault of sealed records: store, announce, run, scrub.",
    "verify": "Give the verdict on certificates, presentations and bundles, the last without any network.",
}


class Nouns(click.Group):
    """A group whose commands are imported when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the nouns."""
        return list(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a noun's module and return its command."""
        if cmd_name not in NOUNS:
            return None
        command = getattr(importlib.import_module(f"cocket.cli.{cmd_name}"), cmd_name)
        if not isinstance(command, click.Command):
            raise TypeError(f"cocket.cli.{cmd_name} has no command of that name")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of nouns without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(NOUNS.items()))


@click.command(
    cls=Nouns,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: cocket network create trial --authority NL --authority KE && cocket network up trial",
)
@click.version_option(package_name="cocket")
def cocket() -> None:
    """Cocket: seals for connected trade windows, on a ledger of customs authorities."""


def main() -> NoReturn:
    """Run the command line; the exit codes are in ``cocket.cli.errors``."""
    from cocket.cli.errors import Exit
    from cocket.cli.output import fail, show_error

    as_json = "--json" in sys.argv
    try:
        code = cocket.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        if as_json:
            show_error(error.format_message(), Exit.USAGE)
        error.show()
        sys.exit(Exit.USAGE)
    except (click.Abort, KeyboardInterrupt):
        if as_json:
            show_error("stopped", Exit.FAILED)
        click.echo("cocket: stopped", err=True)
        sys.exit(Exit.FAILED)
    except BrokenPipeError:
        sys.exit(Exit.FAILED)
    except Exception as error:
        sys.exit(fail(error, as_json))
