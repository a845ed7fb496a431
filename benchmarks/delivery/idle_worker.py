"""The gateway's worker, relay and all, with sendings that are done as soon as they begin: the rest is overhead."""

from config.settings import load_settings
from gateway.domain.work import JobKind
from gateway.process import prepare_process
from workers.app import Worker, work


def main() -> None:
    """Work until SIGTERM."""
    settings = load_settings()
    prepare_process(settings, "worker")
    worker = Worker(settings)
    worker.handlers[JobKind.DELIVERY_SEND] = lambda _job: None
    work(worker)


if __name__ == "__main__":
    main()
