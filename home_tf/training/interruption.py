"""Holding back Ctrl-C and SIGTERM until a training can be saved."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

# What Ctrl-C sends, and what a cluster sends before it reclaims a machine.
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Holds back Ctrl-C and SIGTERM in a `with` block, so that no step is cut short.

    The block checks `requested` where it can save its state, and then calls `deliver`.
    A second signal is delivered at once, and so is a first one before `hold_back` is
    called. Outside the main thread nothing is held back.

    Examples:
        >>> with Interruption() as interruption:
        ...     interruption.hold_back()
        ...     for step in steps:
        ...         step()
        ...         if interruption.requested:
        ...             save()
        ...             interruption.deliver()
    """

    def __init__(self) -> None:
        self._received: int | None = None
        self._holds_back = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                # A background job of a shell ignores Ctrl-C.
                if signal.getsignal(number) not in (None, signal.SIG_IGN):
                    self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._restore_handlers()

    def hold_back(self) -> None:
        """Holds back a signal from now on: there is something to save."""
        self._holds_back = True

    @property
    def requested(self) -> bool:
        """Whether a signal is being held back."""
        return self._received is not None

    def deliver(self) -> None:
        """Does what the signal would do: raises `KeyboardInterrupt`, or exits."""
        if self._received is not None:
            self._restore_handlers()
            signal.raise_signal(self._received)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        at_once = self.requested or not self._holds_back
        self._received = number
        if at_once:
            self.deliver()

    def _restore_handlers(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
