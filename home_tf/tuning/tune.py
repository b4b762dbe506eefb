"""Hyper-parameter search over a configuration."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path
from typing import Any

from home_tf.config import Config, override_config
from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError, check_at_least
from home_tf.files import PathLike, as_path, locked, require_local
from home_tf.processes import WorkerProcesses
from home_tf.progress import Progress, no_progress
from home_tf.training import Experiment
from home_tf.tuning.plan import Plan
from home_tf.tuning.results import describe_best, describe_trial, write_results
from home_tf.tuning.search import Search
from home_tf.tuning.space import NETWORK_SPACE, make_space

Say = Callable[[str], None]


def tune(
    config: Config,
    data: DatasetDirectory | PathLike,
    out: str | Path,
    *,
    space: Mapping[str, Any] | None = None,
    trials: int = 20,
    jobs: int = 1,
    say: Say = print,
    progress: Progress | None = None,
) -> Config:
    """Searches for the hyper-parameters with the best validation score.

    Each trial is a separate training in its own process; its score is that of its best
    validation, by `training.select_by` and `training.monitor_tasks`. A trial that is
    worse than the median of the others after as many validations is stopped. The first
    trial is the configuration itself. Test rows are not read.

    Args:
        config: The configuration.
        data: The dataset directory.
        out: The folder of the search; a search in it resumes, and can be extended by
            more trials. It contains `best.yaml`, the best configuration, for `home-tf
            train`; `trials.csv`, a line for each trial; `tuning.png`, the scores by
            each hyper-parameter, the most important one first; and `trials/`, the runs,
            of which only the best keeps its checkpoints.
        space: The possible values of keys of the configuration: `{dotted key: {low:
            ..., high: ..., log: ...}}` or `{dotted key: {choices: [...]}}`; a `*` in a
            key matches anything. By default `NETWORK_SPACE`.
        trials: Number of trials.
        jobs: Number of trials that run in parallel.
        say: Called with a line about each trial.
        progress: Called with a stage, the number of trials done, and their total.

    Returns:
        The best configuration.

    Raises:
        HomeError: If an argument is out of its range, a key or value of the space is
            not valid in the configuration, the data does not fit the configuration, the
            first trial fails, or `out` holds something else or is being written by
            another process.
    """
    check_at_least("trials", trials, 1)
    check_at_least("jobs", jobs, 1)
    values = _defaults() if space is None else dict(space)
    _check_space(values, config)
    experiment = Experiment.open(config, data)
    experiment.check_rows("train", "validation", needed_by="tuning")
    experiment.check_tasks()
    folder = require_local(as_path(out), "out").absolute()
    path = str(experiment.data.path.resolve())
    plan = Plan(path, experiment.data.fingerprint, values)
    plan.create(folder, config)
    busy = f"{folder}: this search is being run by another process. Wait for its end"
    with locked(folder / ".lock", busy):
        tuner = _Tuner(plan, folder, config, jobs, say)
        try:
            tuner.run(trials, progress or no_progress)
        except HomeError:
            if tuner.is_useless:
                shutil.rmtree(folder)
            raise
        return tuner.finish()


class _Tuner:
    """Runs the trials of a search, several in parallel."""

    def __init__(
        self, plan: Plan, out: Path, config: Config, jobs: int, say: Say
    ) -> None:
        self._plan, self._out, self._config = plan, out, config
        self._jobs, self._say = jobs, say
        self._search: Search = plan.open_search(out)
        self._processes = WorkerProcesses()

    def run(self, trials: int, progress: Progress) -> None:
        """Runs trials until the given number have ended."""
        self._search.forget_running()
        ended = len(self._search.trials)
        begun, running = ended, dict[Future[str | None], int]()
        with ThreadPoolExecutor(self._jobs) as pool:
            try:
                while running or begun < trials:
                    while begun < trials and len(running) < self._jobs:
                        number, parameters = self._search.ask()
                        running[pool.submit(self._train, number, parameters)] = number
                        begun += 1
                    progress("tuning", ended, trials)
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._end(running.pop(future), future.result())
                        ended += 1
            finally:
                self._processes.stop()

    @property
    def is_useless(self) -> bool:
        """Whether no trial is complete."""
        return self._search.best is None

    def finish(self) -> Config:
        """Writes what was found."""
        best = self._search.best
        assert best is not None  # the first trial is complete
        found = override_config(self._config, best.parameters)
        write_results(self._out, found, self._search)
        first = next(one for one in self._search.trials if not one.parameters)
        self._say(describe_best(best, first))
        return found

    def _train(self, number: int, parameters: dict[str, Any]) -> str | None:
        """Trains a trial; returns why it failed, if it did."""
        threads = max(1, (os.cpu_count() or 1) // self._jobs)
        job = {
            "out": str(self._out),
            "number": number,
            "parameters": parameters,
            "threads": threads,
        }
        return self._processes.run(
            "home_tf.tuning.train_trial",
            json.dumps(job),
            log=self._out / "logs" / f"{number:04}.log",
            framework=self._config.training.framework,
            threads=threads,
        )

    def _end(self, number: int, reason: str | None) -> None:
        if reason is not None:
            self._search.tell_failed(number, reason)
        (trial,) = (one for one in self._search.trials if one.number == number)
        best = self._search.best
        if trial.state == "failed" and not trial.parameters:
            raise HomeError(f"the configuration itself cannot be trained: {reason}")
        self._say(describe_trial(trial, best))
        self._keep_best()

    def _keep_best(self) -> None:
        """Removes the checkpoints of all finished trials except the best."""
        best = self._search.best
        for trial in self._search.trials:
            if best is None or trial.number != best.number:
                folder = self._plan.run_folder(self._out, trial.number)
                shutil.rmtree(folder / "checkpoints", ignore_errors=True)


def _defaults() -> dict[str, Any]:
    return {key: asdict(one) for key, one in NETWORK_SPACE.items()}


def _check_space(values: Mapping[str, Any], config: Config) -> None:
    """Checks that every key accepts its bounds or choices."""
    for key, one in make_space(values).items():
        for value in one.ends:
            try:
                override_config(config, {key: value})
            except HomeError as error:
                raise HomeError(f"the space: {error}") from None
