"""A server that speaks S3 (npm's s3rver, by the oracles) with an empty bucket, for tests of shelves in one."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

from e2e.trial import free_ports

SERVER = Path(__file__).parents[2] / "oracles" / "s3" / "node_modules" / ".bin" / "s3rver"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "S3RVER", "AWS_SECRET_ACCESS_KEY": "S3RVER"}
DEADLINE_S = 30


def is_installed() -> bool:
    """Return whether the oracles were set up, as ``scripts/test`` does."""
    return SERVER.exists() and shutil.which("node") is not None


@contextlib.contextmanager
def bucket(folder: Path) -> Iterator[str]:
    """Give the address of a server with a bucket ``vault``."""
    port = free_ports(1)
    command = ["node", SERVER, "--directory", folder, "--port", str(port), "--configure-bucket", "vault", "--silent"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                urlopen(f"http://127.0.0.1:{port}/", timeout=2).close()
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()
