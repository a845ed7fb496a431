"""What leaves for the reviewer in the demo: the de-identified images, and a document that a person has cleared."""

from pathlib import Path

from gateway.demo.comparison import compare, pdf_inside
from gateway.demo.places import written
from gateway.demo.stage import Stage
from gateway.demo.waiting import StepFailed

_STUDY_WITHIN_S = 60.0
_DOCUMENT_WITHIN_S = 30.0


def receive_images(stage: Stage, case_id: str, files: list[Path]) -> str:
    """Wait for the de-identified study at the reviewer's node; gives the pseudonym that its objects carry."""
    reviewer, screen = stage.cast.reviewer, stage.screen
    screen.step("The study goes quiet, is matched, consent is decided, and the de-identified study goes out")
    stage.wait(
        case_id,
        lambda: len(reviewer.images()) == len(files),
        waiting_for=f"{len(files)} de-identified images at the reviewer's node",
        within_s=_STUDY_WITHIN_S,
        ask_after_s=0.0,
    )
    found = compare(files, reviewer.images())
    screen.say(f"{len(files)} images arrived at {written(reviewer.address)}; one slice before and after, same pixels:")
    screen.table((("", "at the hospital", "at the reviewer"), *found.rows))
    screen.facts({"before": found.before_file, "after": found.after_file})
    return found.pseudonym


def clear_document(stage: Stage, case_id: str, document_id: str) -> None:
    """A coordinator attaches the redacted PDF; wait for it at the reviewer's node."""
    reviewer, screen = stage.cast.reviewer, stage.screen
    screen.step("The pathology PDF waits for a person; the coordinator attaches a redacted version")
    redacted = stage.cast.folder / "coordinator" / "pathology-redacted.pdf"
    redacted.parent.mkdir(parents=True, exist_ok=True)
    redacted.write_bytes(stage.papers.redacted_pdf)
    stage.commands(("document", "redact", document_id, str(redacted)))
    stage.wait(
        case_id, reviewer.documents, waiting_for="the redacted PDF at the reviewer's node", within_s=_DOCUMENT_WITHIN_S
    )
    [file] = reviewer.documents()
    if pdf_inside(file) != stage.papers.redacted_pdf:
        raise StepFailed("the reviewer's node has another PDF than the redacted one")
    screen.facts({"Encapsulated PDF": file})
