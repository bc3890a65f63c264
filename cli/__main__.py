"""``python -m cocket.cli`` is ``cocket``."""

from cocket.cli.main import main

main()
