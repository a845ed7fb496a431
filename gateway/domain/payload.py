"""What exactly leaves with a delivery of objects, as one hash: fixed when it is prepared, compared when it is sent."""

import hashlib
from collections.abc import Sequence

from gateway.domain.record import DeliveryItem


def payload_sha256(items: Sequence[DeliveryItem]) -> str:
    """Over UID and blob hash of each object, in sending order."""
    listing = "".join(f"{item.sop_instance_uid} {item.blob_sha256}\n" for item in items)
    return hashlib.sha256(listing.encode()).hexdigest()
