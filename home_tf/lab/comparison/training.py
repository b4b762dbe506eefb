"""A training of the comparison: one model, one fold, one seed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.diagnosis import judge
from home_tf.evaluation import auc, bootstrap_values, gauc, mean_of_defined
from home_tf.files import atomic_directory, read_json, write_json, write_text
from home_tf.lab.comparison.compared_model import ComparedModel, model_of_folder
from home_tf.lab.comparison.split_data import SplitData
from home_tf.lab.comparison.trainer import Probabilities, TrainingResult

Array = npt.NDArray[Any]
METRICS = ("auc", "gauc")


@dataclass(frozen=True)
class Training:
    """A training and its folder. It is finished when the folder exists.

    Attributes:
        model: What is trained.
        fold: Number of the fold.
        seed: Seed of the weights and the data order.
        out: The folder of the comparison.
    """

    model: ComparedModel
    fold: int
    seed: int
    out: Path

    @property
    def folder(self) -> Path:
        """Has `training.json`, `predictions.npz`, `replicates.npz` and `experts.json`.

        The last is missing if there are no experts.
        """
        name = self.model.folder_name
        return self.out / "trainings" / name / f"fold-{self.fold}" / f"seed-{self.seed}"

    @property
    def error_file(self) -> Path:
        """The file with the reason of the last failure, in one line."""
        return self.folder.with_name(f"seed-{self.seed}.error")

    @property
    def is_finished(self) -> bool:
        """Whether the training need not be run."""
        return self.folder.is_dir()

    def __str__(self) -> str:
        return f"{self.model.name}, fold {self.fold}, seed {self.seed}"

    def fail(self, reason: str) -> None:
        """Records why the training has no result."""
        self.error_file.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.error_file, " ".join(reason.split()) + "\n")

    def load(self) -> dict[str, Any]:
        """What `training.json` holds."""
        return read_json(self.folder / "training.json")

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
        result: TrainingResult,
        test: SplitData,
        probabilities: Probabilities,
        *,
        experts: Mapping[str, Any] | None,
        replicates: int,
        origin: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Evaluates the training on the test rows, and writes its folder atomically.

        Args:
            result: What the trainer returned.
            test: The test rows.
            probabilities: `{task: (rows,)}`.
            experts: The figures of the experts on the test rows, if it has experts.
            replicates: Draws of the bootstrap.
            origin: Its provenance, kept beside the values.

        Returns:
            What `training.json` holds.
        """
        verdicts = judge(experts) if experts else []
        content = {
            **_defined(asdict(result)),
            **measure(test, probabilities),
            "verdicts": {v.kind: v.is_found for v in verdicts if v.checked},
            **origin,
        }
        with atomic_directory(self.folder) as folder:
            write_json(folder / "training.json", content)
            _save_predictions(folder / "predictions.npz", test, probabilities)
            drawn = _draw(test, probabilities, replicates)
            np.savez_compressed(folder / "replicates.npz", **drawn)
            if experts:
                judged = {"verdicts": [verdict.to_json() for verdict in verdicts]}
                write_json(folder / "experts.json", {**experts, **judged})
        self.error_file.unlink(missing_ok=True)
        return content


def trainings_in(out: Path, changes: Collection[str] = ()) -> list[Training]:
    """The trainings that were run in a comparison's folder, finished or failed.

    Args:
        out: The folder.
        changes: Names of the changes that models may have.
    """
    found = {
        Training(
            model=model_of_folder(path.parts[-3], changes),
            fold=int(path.parts[-2].removeprefix("fold-")),
            seed=int(path.stem.removeprefix("seed-")),
            out=out,
        )
        for path in out.glob("trainings/*/fold-*/seed-*")
    }
    return sorted(found, key=lambda training: (training.folder.parent, training.seed))


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
    """Makes a value valid JSON: None for NaN, even inside lists and dicts."""
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
    # The draws depend only on the test rows, so those of a fold are paired.
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


def run_training(
    training: Training,
    work: Callable[[Training], dict[str, Any]],
    say: Callable[[str], None],
) -> None:
    """Runs a training; a failure is recorded, and does not stop later trainings."""
    try:
        content = work(training)
    except Exception as error:
        training.fail(f"{type(error).__name__}: {error}")
        say(f"FAILED {training}: {training.error_file.read_text().strip()[:200]}")
        return
    means = {
        metric: mean_of_defined(list(content[metric].values()))
        for metric in METRICS
        if metric in content
    }
    say(
        f"{training}: "
        + ", ".join(f"mean {m.upper()} {v:.4f}" for m, v in means.items())
    )
