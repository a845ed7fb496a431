"""A worker by its own program, whose jobs only leave a file: `<kind>.begun` at once, `<kind>.done` at their end.

De-identifications end when the file `gate` is there.
"""

import time
from pathlib import Path

from config.settings import load_settings
from gateway.domain.work import Job, JobKind
from gateway.services.work import Handler
from workers import app


def main(folder: Path) -> None:
    """Run it, with that folder."""

    def handle(job: Job) -> None:
        (folder / f"{job.id}.begun").touch()
        while job.kind is JobKind.STUDY_RELEASE and not (folder / "gate").exists():
            time.sleep(0.02)
        (folder / f"{job.id}.done").touch()

    handlers: dict[JobKind, Handler] = dict.fromkeys(JobKind, handle)
    app.Worker.handlers = property(lambda _worker: handlers)  # type: ignore[assignment]  # a method
    app.run_worker(load_settings())
