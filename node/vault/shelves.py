"""Which shelf a vault has: a folder in its home, or a bucket that its settings name."""

from cocket.node.vault.settings import KeeperHome, KeeperSettings
from cocket.node.vault.shelf import FolderShelf, Shelf


def open_shelf(home: KeeperHome, settings: KeeperSettings, *, is_reader: bool) -> Shelf:
    """Return a vault's shelf.

    :raises Refused: its settings name a bucket, and the extra that reads one is not installed.
    """
    if not settings.shelf:
        return FolderShelf(home.shelf, is_reader=is_reader)
    try:
        from cocket.node.vault.object_shelf import ObjectShelf
    except ImportError:
        from cocket.node.errors import Refused

        raise Refused(f"shelf {settings.shelf}: install what reads buckets: pip install 'cocket[s3]'") from None
    return ObjectShelf(settings.shelf, settings.s3_endpoint)
