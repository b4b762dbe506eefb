"""Runs the jobs of a comparison in processes, some at a time."""

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import home_tf
from home_tf.lab.comparison.contender import Contender

_START = Path(__file__).with_name("start_worker.py")
_PACKAGE_FOLDER = str(Path(home_tf.__file__).parents[1])


@dataclass(frozen=True)
class Job:
    """What one process does; see `worker.main`.

    Attributes:
        out: The folder of the comparison.
        contender: The contender.
        threads: Number of threads.
        fold: Number of the fold to train on; None to choose size and hyper-parameters.
        seeds: The seeds to train.
    """

    out: Path
    contender: Contender
    threads: int
    fold: int | None = None
    seeds: tuple[int, ...] = ()

    @property
    def log(self) -> Path:
        """Where the standard error of the process goes."""
        step = "choose" if self.fold is None else f"fold-{self.fold}"
        return self.out / "logs" / f"{self.contender.folder_name}-{step}.log"

    def to_json(self) -> str:
        """The argument of `worker.main`."""
        values: dict[str, Any] = {
            "out": str(self.out),
            "contender": asdict(self.contender),
            "threads": self.threads,
        }
        if self.fold is not None:
            values.update(fold=self.fold, seeds=list(self.seeds))
        return json.dumps(values)


def run_jobs(
    jobs: Sequence[Job], *, at_once: int, on_end: Callable[[Job, str | None], list[Job]]
) -> None:
    """Runs jobs, each in a process of its own.

    Args:
        jobs: The jobs, which are started in this order.
        at_once: How many run at a time.
        on_end: Called with a job that has ended and, if its process failed, why; the
            jobs that it returns are run too.
    """
    waiting, running = deque(jobs), dict[Future[str | None], Job]()
    processes = _Processes()
    with ThreadPoolExecutor(at_once) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    job = waiting.popleft()
                    running[pool.submit(processes.run, job)] = job
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    job = running.pop(future)
                    waiting.extend(on_end(job, future.result()))
        finally:
            processes.stop()


class _Processes:
    """The running processes, which end with the comparison."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []

    def run(self, job: Job) -> str | None:
        """Runs a job to its end; returns why it failed, if it did."""
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with job.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, _START, _PACKAGE_FOLDER, job.to_json()],
                stdin=subprocess.PIPE,  # by whose end it knows of the end of this one
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": str(job.threads)},
            )
            self._running.append(process)
            with process:
                code = process.wait()
            self._running.remove(process)
        return _reason(job, code) if code else None

    def stop(self) -> None:
        for process in list(self._running):
            process.terminate()


def _reason(job: Job, code: int) -> str:
    if code < 0:
        return f"the process was ended by signal {-code} (see {job.log})"
    lines = job.log.read_text(encoding="utf-8", errors="replace").split("\n")
    last = [line.strip() for line in lines if line.strip()]
    return last[-1] if last else f"the process ended with exit code {code}"
