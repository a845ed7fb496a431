"""Reading what a row of ours refers to."""

from gateway.domain.errors import Damaged, NotFound
from gateway.services.core import Core


def kept_blob(core: Core, digest: str) -> bytes:
    """The bytes. Raises Damaged also where the store has none: what a row refers to is there, or can be restored."""
    try:
        return core.blobs.get(digest)
    except NotFound as exc:
        remedy = "see whether this machine uses the store of the installation (consilium doctor), or restore the blob"
        raise Damaged(f"{exc}, although it is needed; {remedy}") from exc
