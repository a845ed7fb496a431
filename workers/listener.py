"""The listener: has the relay look at once when another process has put work into the outbox."""

import threading

from gateway.store.engine import Database
from gateway.store.news import heard
from workers.waiting import Waiting, reason_of

_PAUSE_S = 3.0


def keep_listening(database: Database, news: threading.Event, ended: threading.Event) -> None:
    """Set `news` whenever there may be work, until `ended`; a database that is away is asked for again."""
    waiting = Waiting("listener.waiting")
    while not ended.is_set():
        try:
            for _ in heard(database, ended):
                waiting.over()
                news.set()
        except Exception as exc:  # noqa: BLE001  # a process edge: the relay polls meanwhile
            waiting.because(reason_of(exc))
            ended.wait(_PAUSE_S)
