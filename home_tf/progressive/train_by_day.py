"""Progressive evaluation: each day of a log tests the model before training it."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from home_tf.config import (
    Config,
    differing_keys,
    dump_config,
    load_config,
    override_config,
)
from home_tf.data.schema import FILE_NAME as SCHEMA_FILE
from home_tf.errors import HomeError, check_at_least
from home_tf.files import (
    PathLike,
    as_path,
    atomic_directory,
    check_vacant,
    locked,
    read_json,
    require_local,
    write_json,
)
from home_tf.prepare import list_days, prepare
from home_tf.progress import Progress, no_progress
from home_tf.progressive.results import Day, write_results
from home_tf.training import evaluate_run, train

Say = Callable[[str], None]

_STATE = "progressive.json"
# Every row is trained on once, so that no score of a later day selects anything.
_ONE_PASS: Mapping[str, Any] = {
    "training.epochs": 1,
    "training.validate_every": None,
    "training.reset_embeddings": False,
    "training.learning_rate_decay": "none",
}


def train_by_day(
    config: Config,
    source: PathLike | None,
    out: str | Path,
    *,
    start_days: int = 1,
    memory: str = "4GB",
    say: Say = print,
    progress: Progress | None = None,
) -> list[Day]:
    """Tests a model on each day of a log, then trains it on that day.

    The first `start_days` days train a new model. From then on, the model that was
    trained on all earlier days predicts the next day, is evaluated on it, and is then
    trained on it in one pass. Ids get embeddings when they first occur in training.

    Args:
        config: The configuration, with a section `data` that has days. Its
            `data.split`, epochs, decay and resetting of embeddings are not used.
        source: The folder of the log files; None for the configured one.
        out: The folder to write; an unfinished evaluation in it resumes. It contains
            `days.csv`, the metrics of each day and task; `days.png`, their curves; and
            `days/DAY/run`, the run after the last day that was measured.
        start_days: Number of training days before the first one is measured.
        memory: Memory limit of DuckDB.
        say: Called with a line about each day.
        progress: Called with a stage, the number of days done, and their total.

    Returns:
        The measured days, in order.

    Raises:
        HomeError: If the log has too few days, cannot be read or has nothing to learn
            on a day, or `out` holds something else or is being written by another
            process.
    """
    check_at_least("start_days", start_days, 1)
    config = override_config(config, _ONE_PASS)
    given = config.data.folder if source is None and config.data else source
    folder = require_local(as_path(given or "."), "source")
    days = list_days(folder, config, memory=memory)
    if len(days) <= start_days:
        raise HomeError(
            f"the log must have more than {start_days} days: the first {start_days} "
            f"only train. Received: {days}"
        )
    target = require_local(as_path(out), "out").absolute()
    _make(target, config, start_days)
    busy = f"{target}: another process is writing to it. Wait for its end"
    with locked(target / ".lock", busy):
        _check_same(target, config, start_days)
        by_day = _ByDay(config, folder, target, memory)
        for number in range(start_days, len(days)):
            (progress or no_progress)(
                "days", number - start_days, len(days) - start_days
            )
            first = days[0] if number == start_days else days[number - 1]
            day = by_day.measure(days[number], first=first)
            if day is not None:
                say(day.describe())
    return by_day.measured


class _ByDay:
    """The finished days of a progressive evaluation, and the run after them.

    Args:
        config: The configuration.
        source: The folder of the log files.
        out: The folder to write.
        memory: Memory limit of DuckDB.
    """

    def __init__(self, config: Config, source: Path, out: Path, memory: str) -> None:
        self._config, self._source = config, source
        self._out, self._memory = out, memory
        state = read_json(out / _STATE)
        self.measured = [Day(**one) for one in state["days"]]
        self._start_days = state["start_days"]

    def measure(self, day: int, *, first: int) -> Day | None:
        """Trains on a range of days, and measures the next one.

        Args:
            day: The day that is measured.
            first: The first day that is trained on; the last is the one before `day`.

        Returns:
            What was measured; None if it had been measured before.
        """
        if day in [one.day for one in self.measured]:
            return None
        folder = self._out / "days" / str(day)
        split = {"by": "days", "first": first, "validation": day, "test": "none"}
        config = override_config(self._config, {"data.split": split})
        records = folder / "records"
        if not (records / SCHEMA_FILE).is_file():
            prepare(self._source, config, records, memory=self._memory)
        before = self.measured[-1].day if self.measured else None
        start_from = None if before is None else self._run_of(before)
        run = train(config, records, folder / "run", start_from=start_from)
        metrics = evaluate_run(run, splits=["validation"])["validation"]
        found = Day.of(day, metrics, config.training.monitor_tasks)
        self._add(found)
        if before is not None:
            shutil.rmtree(self._out / "days" / str(before))
        return found

    def _run_of(self, day: int) -> Path:
        return self._out / "days" / str(day) / "run"

    def _add(self, day: Day) -> None:
        self.measured.append(day)
        write_results(self._out, self.measured)
        days = [asdict(one) for one in self.measured]
        _save(self._out, self._start_days, days)


def _make(out: Path, config: Config, start_days: int) -> None:
    """Creates the folder unless it exists.

    Raises:
        HomeError: If it holds something else.
    """
    if (out / _STATE).is_file():
        return
    check_vacant(out, "a progressive evaluation")
    with atomic_directory(out) as aside:
        _save_settings(aside, config, start_days)


def _check_same(out: Path, config: Config, start_days: int) -> None:
    """Checks the settings; until a day is measured, they are replaced.

    Raises:
        HomeError: If days have been measured with other settings.
    """
    state = read_json(out / _STATE)
    different = differing_keys(load_config(out / "config.yaml"), config)
    if state["start_days"] != start_days:
        different.append("start_days")
    if different and state["days"]:
        raise HomeError(
            f"{out}: contains a different progressive evaluation; it differs in "
            f"{', '.join(different)}. Choose another folder, or remove this one"
        )
    if different:
        shutil.rmtree(out / "days", ignore_errors=True)
        _save_settings(out, config, start_days)


def _save_settings(out: Path, config: Config, start_days: int) -> None:
    dump_config(config, out / "config.yaml")
    _save(out, start_days, [])


def _save(out: Path, start_days: int, days: list[dict[str, Any]]) -> None:
    write_json(out / _STATE, {"start_days": start_days, "days": days})
