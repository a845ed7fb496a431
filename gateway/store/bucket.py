"""A bucket of an S3-compatible store: how it is reached, and what its refusals mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from gateway.domain.errors import Full, GatewayError, Transient

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

_LONGEST_TRANSFER = timedelta(hours=1)
_FULL = ("XMinioStorageFull", "QuotaExceeded", "507 Insufficient Storage")
"""How object stores say that there is no room (https://github.com/minio/minio/blob/master/cmd/api-errors.go, Ceph)."""


@dataclass(frozen=True)
class Bucket:
    """Where it is and how long its answers may take; without a key the environment's role counts.

    `endpoint` is empty for Amazon's own. A request is tried `max_retries` times more while `retry_s` have not passed.
    """

    name: str
    prefix: str
    endpoint: str
    region: str
    is_path_style: bool
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    connect_timeout_s: float
    response_timeout_s: float
    max_retries: int
    retry_s: float


def open_bucket(bucket: Bucket) -> S3Store:
    """Nothing is asked of it yet."""
    config: S3Config = {
        "region": bucket.region,
        "virtual_hosted_style_request": not bucket.is_path_style,
        "checksum_algorithm": "SHA256",
        "conditional_put": "etag",
        "disable_bulk_delete": True,  # not every store knows DeleteObjects, and we remove one at a time
    }
    if bucket.endpoint:
        config["endpoint"] = bucket.endpoint
    if bucket.access_key:
        config |= {"access_key_id": bucket.access_key, "secret_access_key": bucket.secret_key}
    client: ClientConfig = {
        "allow_http": bucket.endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=bucket.connect_timeout_s),
        "read_timeout": timedelta(seconds=bucket.response_timeout_s),
        "timeout": _LONGEST_TRANSFER,
    }
    retry: RetryConfig = {"max_retries": bucket.max_retries, "retry_timeout": timedelta(seconds=bucket.retry_s)}
    return S3Store(bucket.name, prefix=bucket.prefix or None, config=config, client_options=client, retry_config=retry)


@contextmanager
def store_errors() -> Iterator[None]:
    """What the object store refuses becomes Full or Transient; its words may name keys, so they are not passed on.

    FileNotFoundError stays for the caller, who knows what is missing, unless it is the bucket.
    """
    try:
        yield
    except (BaseError, FileNotFoundError) as exc:
        if isinstance(exc, FileNotFoundError) and "NoSuchBucket" not in str(exc):
            raise
        raise _explained(exc) from exc


def _explained(exc: Exception) -> GatewayError:
    said = str(exc)
    if any(words in said for words in _FULL):
        return Full("the object store has no room; nothing was accepted")
    if "NoSuchBucket" in said:
        return Transient("the object store has no such bucket; create it, or correct blobs.bucket")
    if isinstance(exc, PermissionDeniedError | UnauthenticatedError):
        return Transient("the object store refuses the access key; check its files and its rights on the bucket")
    return Transient("the object store did not answer; check that it runs and blobs.endpoint is right")
