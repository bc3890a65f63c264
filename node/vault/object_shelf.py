"""A shelf in a bucket of an object store that speaks S3; the one door to its client, the extra ``cocket[s3]``.

Credentials come from the environment or the client's usual files, never from ``keeper.toml``. What such a store says it
has stored it has; one process writes at a time, as with a folder.
"""

import os
from collections.abc import Iterator
from io import BytesIO
from urllib.parse import urlsplit

from minio import Minio
from minio.credentials.providers import AWSConfigProvider, ChainedProvider, EnvAWSProvider, EnvMinioProvider
from minio.error import MinioException, S3Error
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from cocket.attestation.sealing.envelope import ENVELOPE_BYTES_MAX
from cocket.node.errors import Refused, Unavailable
from cocket.node.vault.shelf import KINDS, is_name, require_name

TIMEOUT_S = 20.0
DEFAULT_REGION = "us-east-1"
_NOT_THERE = {"NoSuchKey", "NoSuchObject"}


class ObjectShelf:
    """Objects under a prefix of a bucket, by their names."""

    def __init__(self, address: str, endpoint: str) -> None:
        """Take ``s3://bucket/prefix`` and the store's ``https://host``; Refused when they are none. It asks nothing."""
        place, store = urlsplit(address), urlsplit(endpoint)
        if place.scheme != "s3" or not place.netloc or store.scheme not in ("https", "http") or store.hostname is None:
            raise Refused(f"shelf {address!r} at {endpoint!r}: expected s3://bucket/prefix and https://host")
        self._what = f"shelf {address} at {endpoint}"
        self._bucket = place.netloc
        prefix = place.path.strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        credentials = ChainedProvider([EnvAWSProvider(), EnvMinioProvider(), AWSConfigProvider()])
        timeout, retries = Timeout(connect=TIMEOUT_S, read=TIMEOUT_S), Retry(total=1, backoff_factor=0.2)
        self._client = Minio(
            store.netloc,
            credentials=credentials,
            secure=store.scheme == "https",
            region=os.environ.get("AWS_REGION", DEFAULT_REGION),
            http_client=PoolManager(timeout=timeout, retries=retries),
        )

    def put(self, name: str, data: bytes) -> None:
        """Keep an object."""
        require_name(name)
        try:
            self._client.put_object(self._bucket, self._prefix + name, BytesIO(data), len(data))
        except (MinioException, HTTPError, ValueError) as error:
            raise self._trouble(error) from error

    def get(self, name: str) -> bytes | None:
        """Return an object."""
        require_name(name)
        try:
            response = self._client.get_object(self._bucket, self._prefix + name)
        except S3Error as error:
            if error.code in _NOT_THERE:
                return None
            raise self._trouble(error) from error
        except (MinioException, HTTPError, ValueError) as error:
            raise self._trouble(error) from error
        try:
            return response.read(ENVELOPE_BYTES_MAX + 1)
        except HTTPError as error:
            raise self._trouble(error) from error
        finally:
            response.close()
            response.release_conn()

    def remove(self, name: str) -> None:
        """Take an object away."""
        require_name(name)
        try:
            self._client.remove_object(self._bucket, self._prefix + name)
        except (MinioException, HTTPError, ValueError) as error:
            raise self._trouble(error) from error

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Yield names and sizes, in order of name."""
        for under in [prefix] if prefix else [f"{kind}/" for kind in KINDS]:
            try:
                for found in self._client.list_objects(self._bucket, prefix=self._prefix + under, recursive=True):
                    name = (found.object_name or "").removeprefix(self._prefix)
                    if is_name(name):
                        yield name, found.size or 0
            except (MinioException, HTTPError, ValueError) as error:
                raise self._trouble(error) from error

    def _trouble(self, error: Exception) -> Refused | Unavailable:
        """Return what to tell: what the store refuses an operator has to see to, the rest may pass."""
        if isinstance(error, S3Error) and error.code != "SlowDown":
            return Refused(f"{self._what}: {error.code}: see to bucket, credentials and their rights")
        return Unavailable(f"{self._what}: it does not answer ({type(error).__name__})")
