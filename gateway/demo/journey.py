"""The journey of one case, step by step, over the network and by commands, as its people would go it."""

from gateway.demo.arrival import order, send_study
from gateway.demo.disclosure import clear_document, receive_images
from gateway.demo.homecoming import receive_report, report
from gateway.demo.registration import register
from gateway.demo.stage import Stage


def travel(stage: Stage) -> str:
    """All the way from the registration to the story; gives the id of the case. Raises StepFailed where it breaks."""
    with register(stage) as clients:
        case_id, document_id = order(stage, clients.clinic)
        files = send_study(stage)
        pseudonym = receive_images(stage, case_id, files)
        clear_document(stage, case_id, document_id)
        report(stage, clients.reviewer, pseudonym)
        receive_report(stage, case_id)
        tell_story(stage, case_id)
        return case_id


def tell_story(stage: Stage, case_id: str) -> None:
    """What the gateway remembers of all this."""
    stage.screen.step("The story of the case, and who was shown what")
    stage.commands(("case", "show", case_id), ("audit", "list", "--case", case_id))
