"""AMQP as kombu speaks it, with an end to every wait.

A broker out of memory or disk reads nothing more from whoever publishes, and the machine of one that stands still goes
on answering for it: py-amqp waits for their word for ever. https://www.rabbitmq.com/docs/alarms
"""

from kombu.transport import pyamqp

ANSWERS_WITHIN_S = 10.0
"""A confirmation takes as long as the disks of most of the brokers, never nearly this long."""


class _Connection(pyamqp.Connection):
    def drain_events(self, timeout: float | None = None) -> None:
        """Take what comes next. Raises TimeoutError when nothing does; where nobody said when, after the limit."""
        super().drain_events(timeout=ANSWERS_WITHIN_S if timeout is None else timeout)


class BoundedTransport(pyamqp.Transport):
    """For amqp://."""

    Connection = _Connection


class BoundedTlsTransport(pyamqp.SSLTransport):
    """For amqps://."""

    Connection = _Connection


def transport_for(broker_url: str) -> type[pyamqp.Transport] | None:
    """The one for such a URL; None for another kind of broker, or none."""
    return {"amqp": BoundedTransport, "amqps": BoundedTlsTransport}.get(broker_url.partition("://")[0])
