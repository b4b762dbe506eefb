"""A cell of the comparison: one contender, one fold, one seed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.diagnosis import judge
from home_tf.evaluation import auc, bootstrap_values, gauc, mean_of_defined
from home_tf.files import atomic_directory, read_json, write_json, write_text
from home_tf.lab.comparison.contender import Contender, contender_of_folder
from home_tf.lab.comparison.fitted import Fitted, Probabilities
from home_tf.lab.comparison.split_data import SplitData

Array = npt.NDArray[Any]
METRICS = ("auc", "gauc")


@dataclass(frozen=True)
class Cell:
    """Where a cell lies. It is finished when its folder is there.

    Attributes:
        contender: What is trained.
        fold: Number of the fold.
        seed: Of weights and data order.
        out: The folder of the comparison.
    """

    contender: Contender
    fold: int
    seed: int
    out: Path

    @property
    def folder(self) -> Path:
        """Has `cell.json`, `predictions.npz`, `replicates.npz` and `experts.json`.

        The last is missing where there are no experts.
        """
        name = self.contender.folder_name
        return self.out / "cells" / name / f"fold-{self.fold}" / f"seed-{self.seed}"

    @property
    def error_file(self) -> Path:
        """Why the cell failed when it was last tried; one line."""
        return self.folder.with_name(f"seed-{self.seed}.error")

    @property
    def is_finished(self) -> bool:
        """Whether the cell need not be run."""
        return self.folder.is_dir()

    def __str__(self) -> str:
        return f"{self.contender.name}, fold {self.fold}, seed {self.seed}"

    def fail(self, reason: str) -> None:
        """Notes why the cell has no result."""
        self.error_file.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.error_file, " ".join(reason.split()) + "\n")

    def load(self) -> dict[str, Any]:
        """What `cell.json` holds."""
        return read_json(self.folder / "cell.json")

    def replicates(
        self, tasks: Sequence[str], metrics: Sequence[str]
    ) -> dict[str, Array]:
        """`{metric: (tasks, replicates)}` of the bootstrap."""
        with np.load(self.folder / "replicates.npz") as arrays:
            return {
                metric: np.stack([arrays[f"{metric}:{task}"] for task in tasks])
                for metric in metrics
            }

    def save(
        self,
        fitted: Fitted,
        test: SplitData,
        probabilities: Probabilities,
        *,
        experts: Mapping[str, Any] | None,
        replicates: int,
        origin: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Measures the cell on the test rows and writes its folder, whole or not.

        Args:
            fitted: The training.
            test: The test rows.
            probabilities: `{task: (rows,)}`.
            experts: The figures of the experts on the test rows, if it has experts.
            replicates: Draws of the bootstrap.
            origin: What the cell is made by; kept beside the values.

        Returns:
            What `cell.json` holds.
        """
        verdicts = judge(experts) if experts else []
        content = {
            **_defined(asdict(fitted)),
            **measure(test, probabilities),
            "verdicts": {v.kind: v.is_found for v in verdicts if v.checked},
            **origin,
        }
        with atomic_directory(self.folder) as folder:
            write_json(folder / "cell.json", content)
            _save_predictions(folder / "predictions.npz", test, probabilities)
            drawn = _draw(test, probabilities, replicates)
            np.savez_compressed(folder / "replicates.npz", **drawn)
            if experts:
                judged = {"verdicts": [verdict.to_json() for verdict in verdicts]}
                write_json(folder / "experts.json", {**experts, **judged})
        self.error_file.unlink(missing_ok=True)
        return content


def cells_in(out: Path, changes: Collection[str] = ()) -> list[Cell]:
    """The cells that were run in a comparison's folder, finished or failed.

    Args:
        out: The folder.
        changes: Names of the changes that contenders may have.
    """
    found = {
        Cell(
            contender=contender_of_folder(path.parts[-3], changes),
            fold=int(path.parts[-2].removeprefix("fold-")),
            seed=int(path.stem.removeprefix("seed-")),
            out=out,
        )
        for path in out.glob("cells/*/fold-*/seed-*")
    }
    return sorted(found, key=lambda cell: (cell.folder.parent, cell.seed))


def measure(test: SplitData, probabilities: Probabilities) -> dict[str, Any]:
    """AUC and GAUC of every task, None where undefined, and the positives.

    Of a regression task all rows with a label count as positives. Without groups there
    is no GAUC.
    """
    values: dict[str, Any] = {}
    for task, labels in test.labels.items():
        predicted, numeric = probabilities[task], task in test.regression
        found = {"auc": auc(labels, predicted, numeric=numeric)}
        if test.groups is not None:
            found["gauc"] = gauc(labels, predicted, test.groups, numeric=numeric)
        for metric, value in found.items():
            values.setdefault(metric, {})[task] = None if np.isnan(value) else value
        positives = test.is_known(task) if numeric else labels == 1
        values.setdefault("positives", {})[task] = int(positives.sum())
    return values


def _defined(value: Any) -> Any:
    """A value as JSON has it: None for NaN, also inside of lists and dicts."""
    if isinstance(value, dict):
        return {key: _defined(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_defined(inner) for inner in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def _save_predictions(
    file: Path, test: SplitData, probabilities: Probabilities
) -> None:
    arrays = {} if test.groups is None else {"groups": test.groups}
    for task, labels in test.labels.items():
        if task in test.regression:
            arrays[f"label:{task}"] = labels.astype(np.float32)
        else:
            known = np.where(test.is_known(task), labels, -1)
            arrays[f"label:{task}"] = known.astype(np.int8)
        arrays[f"probability:{task}"] = probabilities[task].astype(np.float32)
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _draw(test: SplitData, probabilities: Probabilities, count: int) -> dict[str, Any]:
    # The draws depend on the test rows alone: those of all cells of a fold are paired.
    arrays = {}
    for task, labels in test.labels.items():
        drawn = bootstrap_values(
            labels,
            probabilities[task],
            test.groups,
            replicates=count,
            numeric=task in test.regression,
        )
        arrays.update({f"{metric}:{task}": found for metric, found in drawn.items()})
    return arrays


def run_cell(
    cell: Cell, work: Callable[[Cell], dict[str, Any]], say: Callable[[str], None]
) -> None:
    """Runs a cell; a failure is noted, and does not stop the cells after it."""
    try:
        content = work(cell)
    except Exception as error:
        cell.fail(f"{type(error).__name__}: {error}")
        say(f"FAILED {cell}: {cell.error_file.read_text().strip()[:200]}")
        return
    means = {
        metric: mean_of_defined(list(content[metric].values()))
        for metric in METRICS
        if metric in content
    }
    say(f"{cell}: " + ", ".join(f"mean {m.upper()} {v:.4f}" for m, v in means.items()))
