"""Gunicorn's own log: JSON lines like every other one, and nothing of what a client sent."""

from typing import Any

from gunicorn.glogging import Logger


class ServerLog(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """Hands each line to the root logger, which `gateway.process` has set up; of its own it writes nothing."""

    def setup(self, cfg: Any) -> None:
        """The level counts; `errorlog` has to be None, or there would be two lines."""
        super().setup(cfg)
        self.error_log.propagate = True

    def exception(self, msg: str, *args: object, **kwargs: Any) -> None:
        """Where it happened, without the request line that it happened with: a search may name a patient."""
        super().exception(msg.partition(" %s")[0], **kwargs)
