"""Where the demo's programs listen: free ports of this machine."""

import itertools
import random
import socket

from gateway.demo.waiting import StepFailed
from gateway.domain.party import DicomAddress

LOOPBACK = "127.0.0.1"
_PORTS = range(20_000, 32_000)


def free_ports(count: int) -> list[int]:
    """TCP ports on which nobody listens now, all different.

    From below the range that the kernel gives to outgoing connections, so that nobody takes one in the meantime.
    """
    candidates = random.sample(_PORTS, len(_PORTS))
    found = list(itertools.islice(filter(_is_free, candidates), count))
    if len(found) < count:
        raise StepFailed("this machine has no free TCP ports")
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def written(address: DicomAddress) -> str:
    """`AE@host:port`, as the command line takes it."""
    return f"{address.ae_title}@{address.host}:{address.port}"
