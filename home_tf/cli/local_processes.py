"""Processes on one machine that work together and end together."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any

import home_tf
from home_tf.cluster import CHIEF_SAYS_WHY
from home_tf.errors import HomeError

_START = Path(__file__).with_name("start_local.py")
_PACKAGE_FOLDER = str(Path(home_tf.__file__).parents[1])
_POLL_SECONDS = 0.1
_INTERRUPTED = (128 + signal.SIGINT, 128 + signal.SIGTERM)
# Time for processes that fail for the same reason to end, too.
_GRACE_SECONDS = 0.5
# Time to save a training.
_SECONDS_TO_END = 30.0


class LocalProcesses:
    """Runs `home-tf` commands, each in its own process, which all end together.

    A context manager: no process outlives it, whatever happens. All of them compute
    on the CPU. The output of the first one, the chief, is shown.

    Args:
        commands: The arguments of `home-tf` in each process.
        variables: Environment variables of each process, in addition to this one's.
    """

    def __init__(
        self,
        commands: Sequence[Sequence[str]],
        variables: Sequence[Mapping[str, str]] | None = None,
    ) -> None:
        self._commands = commands
        self._variables = variables or [{}] * len(commands)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._errors: list[Any] = []
        self._files = ExitStack()

    def __enter__(self) -> "LocalProcesses":
        try:
            for index in range(len(self._commands)):
                self._start(index)
        except BaseException:
            self._end()
            raise
        return self

    def _start(self, index: int) -> None:
        errors = self._files.enter_context(TemporaryFile())  # noqa: SIM115
        process = subprocess.Popen(
            [sys.executable, str(_START), _PACKAGE_FOLDER, *self._commands[index]],
            stdin=subprocess.PIPE,  # it is closed when this process ends
            # Ctrl-C reaches only this process, which then ends the others.
            start_new_session=True,
            env={
                **os.environ,
                **self._variables[index],
                "CUDA_VISIBLE_DEVICES": "-1",
            },
            # The output of the chief is shown as it comes.
            stdout=subprocess.DEVNULL if index else None,
            stderr=errors if index else None,
        )
        self._processes.append(process)
        self._errors.append(errors)

    def wait(self) -> int:
        """Waits until all processes have ended, or one has failed.

        Returns:
            The exit code of the chief, which prints why it failed, if it did; or 130 or
            143 if a process was interrupted: then all of them save and end.

        Raises:
            HomeError: If only another process failed.
        """
        while not any(self._codes()) and None in self._codes():
            time.sleep(_POLL_SECONDS)
        if not any(self._codes()):
            return 0
        if self._interrupted():
            self._wait_for_end()
            return max(self._interrupted())
        time.sleep(_GRACE_SECONDS)
        if any(CHIEF_SAYS_WHY in self._reason(i) for i in self._failed()):
            self._wait_for_end()
        codes = self._codes()
        if codes[0] and codes[0] > 0:
            return codes[0]
        index = self._failed()[0]
        raise HomeError(
            f"process {index} of {len(codes)} (counted from 0) failed, so the others "
            f"were stopped: {self._reason(index)}"
        )

    def _codes(self) -> list[int | None]:
        return [process.poll() for process in self._processes]

    def _failed(self) -> list[int]:
        return [index for index, code in enumerate(self._codes()) if code]

    def _interrupted(self) -> list[int]:
        return [code for code in self._codes() if code in _INTERRUPTED]

    def _wait_for_end(self) -> None:
        end = time.monotonic() + _SECONDS_TO_END
        while None in self._codes() and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)

    def _reason(self, index: int) -> str:
        """Returns why a process failed."""
        code = self._processes[index].returncode
        if code < 0:
            return f"it was ended by {signal.Signals(-code).name}"
        errors = self._errors[index]
        errors.seek(0)
        lines = errors.read().decode("utf-8", "replace").splitlines()
        last = [line.strip() for line in lines if line.strip()][-1:]
        return last[0].removeprefix("error: ") if last else f"exit code {code}"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        try:
            for process in self._processes:
                process.terminate()
            self._wait_for_end()
        finally:
            for process in self._processes:
                process.kill()
                process.wait()
                if process.stdin is not None:
                    process.stdin.close()
            self._files.close()


def free_addresses(number: int) -> list[str]:
    """Finds addresses on the loopback interface whose ports are free now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
