"""The messages of one association, fragment by fragment: command, then its data set, then an answer (PS3.7 6, 9)."""

from collections.abc import Callable
from dataclasses import dataclass

from dicom_node.scp.command import C_CANCEL_RQ, C_ECHO_RQ, C_STORE_RQ, Command, parse_command
from dicom_node.scp.negotiation import AcceptedContext
from dicom_node.scp.pdu import UNEXPECTED_PDU, ProtocolViolation
from dicom_node.scp.storing import Outcome, Storing
from dicom_node.status import CANNOT_UNDERSTAND, SUCCESS, UNRECOGNIZED_OPERATION

_IS_COMMAND, _IS_LAST = 1, 2  # PS3.8 E.2: message control header
_MAX_COMMAND_BYTES = 4096


@dataclass(frozen=True)
class Answer:
    """A response to send. `is_promise` marks the one that says: stored."""

    context_id: int
    request: Command
    outcome: Outcome

    @property
    def is_promise(self) -> bool:
        """A C-STORE that succeeded; nothing weaker needs guarding."""
        return self.request.field == C_STORE_RQ and self.outcome.status == SUCCESS


class Dialogue:
    """Feeds on PDVs in the order they came. One operation at a time: a larger window was not negotiated."""

    def __init__(
        self, contexts: dict[int, AcceptedContext], begin_store: Callable[[Command, AcceptedContext], Storing]
    ) -> None:
        self.stored = 0
        """Objects that were answered with success."""
        self._contexts = contexts
        self._begin_store = begin_store
        self._context_id = 0
        self._encoded_command = bytearray()
        self._request: Command | None = None  # set while its data set is on the way
        self._storing: Storing | None = None

    def feed(self, context_id: int, control: int, fragment: memoryview) -> Answer | None:
        """The answer, when this fragment completes a message. Raises ProtocolViolation."""
        if context_id not in self._contexts:
            raise ProtocolViolation("presentation context was not accepted")
        is_in_message = bool(self._encoded_command) or self._request is not None
        if is_in_message and context_id != self._context_id:
            raise ProtocolViolation("presentation context changes within a message")
        self._context_id = context_id
        if bool(control & _IS_COMMAND) == (self._request is not None):
            raise ProtocolViolation("command and data set fragments are out of order", UNEXPECTED_PDU)
        if control & _IS_COMMAND:
            return self._feed_command(fragment, is_last=bool(control & _IS_LAST))
        return self._feed_data_set(fragment, is_last=bool(control & _IS_LAST))

    def discard(self) -> None:
        """Forget a message that will never be complete, and its file."""
        if self._storing is not None:
            self._storing.discard()

    def _feed_command(self, fragment: memoryview, *, is_last: bool) -> Answer | None:
        self._encoded_command += fragment
        if len(self._encoded_command) > _MAX_COMMAND_BYTES:
            raise ProtocolViolation("command set of impossible size")
        if not is_last:
            return None
        command = parse_command(bytes(self._encoded_command))
        self._encoded_command.clear()
        if not command.has_data_set:
            return self._answer_bare(command)
        self._request = command
        if command.field == C_STORE_RQ:
            self._storing = self._begin_store(command, self._contexts[self._context_id])
        return None

    def _answer_bare(self, command: Command) -> Answer | None:
        match command.field:
            case field if field == C_ECHO_RQ:
                return Answer(self._context_id, command, Outcome(SUCCESS))
            case field if field == C_CANCEL_RQ:
                return None  # PS3.7 9.3.2.3: no response of its own, and nothing here runs long enough
            case field if field == C_STORE_RQ:
                return Answer(self._context_id, command, Outcome(CANNOT_UNDERSTAND, "C-STORE without a data set"))
            case _:
                return Answer(self._context_id, command, Outcome(UNRECOGNIZED_OPERATION))

    def _feed_data_set(self, fragment: memoryview, *, is_last: bool) -> Answer | None:
        if self._storing is not None:
            self._storing.write(fragment)
        if not is_last or self._request is None:
            return None
        outcome = Outcome(UNRECOGNIZED_OPERATION) if self._storing is None else self._storing.finish()
        answer = Answer(self._context_id, self._request, outcome)
        self._request = self._storing = None
        self.stored += answer.is_promise
        return answer
