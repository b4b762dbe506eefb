"""Running work in separate processes, which end with this one."""

import os
import subprocess
import sys
from pathlib import Path

import home_tf

_START = Path(__file__).with_name("start_worker.py")
_PACKAGE_FOLDER = str(Path(home_tf.__file__).parents[1])


class WorkerProcesses:
    """Runs functions in separate processes; several threads may use it."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []

    def run(
        self, module: str, argument: str, *, log: Path, framework: str, threads: int
    ) -> str | None:
        """Calls `main` of a module in a separate process, and waits for it to end.

        Args:
            module: The module.
            argument: The argument of its `main`.
            log: Where the standard error of the process goes.
            framework: `tfrs` or `keras`, which determines the Keras.
            threads: Number of threads of the libraries that read OMP_NUM_THREADS.

        Returns:
            Why it failed; None if it did not.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, _START, _PACKAGE_FOLDER, framework, module, argument],
                stdin=subprocess.PIPE,  # it is closed when this process ends
                stderr=errors,
                env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            )
            self._running.append(process)
            with process:
                code = process.wait()
            self._running.remove(process)
        return _reason(log, code) if code else None

    def stop(self) -> None:
        """Ends the processes that are running."""
        for process in list(self._running):
            process.terminate()


def _reason(log: Path, code: int) -> str:
    if code < 0:
        return f"the process was ended by signal {-code} (see {log})"
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    last = [line.strip() for line in lines if line.strip()]
    return last[-1] if last else f"the process ended with exit code {code}"
