"""Running the jobs of a comparison in parallel processes."""

import json
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from home_tf.lab.comparison.compared_model import ComparedModel
from home_tf.processes import WorkerProcesses


@dataclass(frozen=True)
class Job:
    """The work of one process; see `worker.main`.

    Attributes:
        out: The folder of the comparison.
        model: The model.
        threads: Number of threads.
        fold: Number of the fold to train on; None to choose size and hyper-parameters.
        seeds: The seeds to train.
    """

    out: Path
    model: ComparedModel
    threads: int
    fold: int | None = None
    seeds: tuple[int, ...] = ()

    @property
    def log(self) -> Path:
        """Where the standard error of the process goes."""
        step = "choose" if self.fold is None else f"fold-{self.fold}"
        return self.out / "logs" / f"{self.model.folder_name}-{step}.log"

    def to_json(self) -> str:
        """The argument of `worker.main`."""
        values: dict[str, Any] = {
            "out": str(self.out),
            "model": asdict(self.model),
            "threads": self.threads,
        }
        if self.fold is not None:
            values.update(fold=self.fold, seeds=list(self.seeds))
        return json.dumps(values)


def run_jobs(
    jobs: Sequence[Job], *, at_once: int, on_end: Callable[[Job, str | None], list[Job]]
) -> None:
    """Runs jobs, each in a separate process.

    Args:
        jobs: The jobs, which are started in this order.
        at_once: Number of jobs that run in parallel.
        on_end: Called with a finished job and, if its process failed, the reason; the
            jobs that it returns are also run.
    """
    waiting, running = deque(jobs), dict[Future[str | None], Job]()
    processes = WorkerProcesses()
    with ThreadPoolExecutor(at_once) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    job = waiting.popleft()
                    running[pool.submit(_run, job, processes)] = job
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    job = running.pop(future)
                    waiting.extend(on_end(job, future.result()))
        finally:
            processes.stop()


def _run(job: Job, processes: WorkerProcesses) -> str | None:
    return processes.run(
        "home_tf.lab.comparison.worker",
        job.to_json(),
        log=job.log,
        framework="keras",
        threads=job.threads,
    )
