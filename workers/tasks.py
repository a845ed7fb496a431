"""The Celery task behind every queue; the outbox row's id is all that a message carries."""

from collections.abc import Callable
from typing import cast

from celery import Celery, Task, shared_task


class GatewayCelery(Celery):  # type: ignore[misc]  # Celery ships no types
    """A Celery application that was told, by the composition root, how to do a job."""

    def __init__(self, *, do: Callable[[str], bool], broker: str | None) -> None:
        super().__init__("consilium", broker=broker, set_as_current=True)
        self.do = do
        self.on_connected: Callable[[], None] = lambda: None
        """Is called whenever a worker begins to consume over a new connection to the broker."""
        self.on_trouble: Callable[[str], None] = lambda _reason: None
        """Is told why the broker cannot be used, at each try."""


@shared_task(name="consilium.job", bind=True, ignore_result=True)  # type: ignore[untyped-decorator]  # celery ships no types
def do_job(task: Task, job_id: str) -> bool:
    """Do the outbox row `job_id` if it is to be had; the row, not the message, knows everything else."""
    return cast(GatewayCelery, task.app).do(job_id)
