"""What every step of the demo is given, and the two things each does: run a command for all to see, and wait."""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.demo.cast import Cast, Papers
from gateway.demo.gateway_process import Gateway
from gateway.demo.screen import Screen
from gateway.demo.waiting import wait_until

_ASK_AGAIN_AFTER_S = 3.0


@dataclass(frozen=True)
class Stage:
    """The screen, the gateway and the cast of one run."""

    screen: Screen
    gateway: Gateway
    cast: Cast
    papers: Papers

    def commands(self, *commands: tuple[str, ...], is_output_shown: bool = True) -> list[str]:
        """Run each `consilium ARGUMENTS`, at the same time; show them and what they print. Raises StepFailed."""
        outputs = self.gateway.run(*commands)
        for arguments, output in zip(commands, outputs, strict=True):
            self.screen.command(*arguments)
            if is_output_shown:
                self.screen.output(output)
        return outputs

    def wait(
        self,
        case_id: str,
        condition: Callable[[], object],
        *,
        waiting_for: str,
        within_s: float,
        ask_after_s: float = 2.0,
    ) -> None:
        """Until `condition()`, showing meanwhile what the gateway says the case waits for. Raises StepFailed."""
        waits = _Waits(self, case_id, time.monotonic() + ask_after_s)
        try:
            with self.screen.waiting(f"waiting for {waiting_for}"):
                wait_until(condition, waiting_for=waiting_for, within_s=within_s, meanwhile=waits.look)
        finally:
            waits.end()


@dataclass
class _Waits:
    """Asks `consilium case show` again and again beside the waiting, and shows what changed."""

    stage: Stage
    case_id: str
    _ask_at: float
    _asking: subprocess.Popen[str] | None = None
    _shown: set[str] = field(default_factory=set)

    def look(self) -> None:
        """Start asking, or show the answer once it is there."""
        if self._asking is None:
            if time.monotonic() >= self._ask_at:
                self._asking = self.stage.gateway.ask("case", "show", self.case_id, "--json")
        elif self._asking.poll() is not None:
            self._show(self._asking.communicate()[0])
            self._asking, self._ask_at = None, time.monotonic() + _ASK_AGAIN_AFTER_S

    def end(self) -> None:
        """A first answer under way is still shown, another one is not needed any more."""
        if self._asking is None:
            return
        if self._shown:
            self._asking.kill()
        answer = self._asking.communicate()[0]
        if not self._shown:
            self._show(answer)

    def _show(self, story: str) -> None:
        for wait in json.loads(story)["waits"] if story else ():
            sentence = f"waits for {wait['what']} ({wait['who']})"
            if not self._shown:
                self.stage.screen.command("case", "show", self.case_id, "--json")
            if sentence not in self._shown:
                self._shown.add(sentence)
                self.stage.screen.waits(sentence)
