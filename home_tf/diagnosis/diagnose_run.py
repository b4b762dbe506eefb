"""The figures of a run's best checkpoint over a split."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from home_tf.data import DatasetDirectory
from home_tf.diagnosis.figures import Figures
from home_tf.diagnosis.importance import permutation_importance
from home_tf.diagnosis.inspection import Inspector
from home_tf.files import write_json
from home_tf.run import Run
from home_tf.training.experiment import Experiment

FORMAT = "home_tf.diagnostics"
VERSION = 1


def diagnose_run(
    run: Run,
    *,
    data: DatasetDirectory | str | Path | None = None,
    split: str = "validation",
    importance_of: Sequence[str] = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Measures the experts and gates of a run, and writes `diagnostics.json`.

    Args:
        run: The run.
        data: The dataset directory; by default where the run was trained.
        split: The split whose rows are read, all of them.
        importance_of: Patterns of the columns whose importance for every task is
            measured too; see `permutation_importance`.
        progress: Called with a stage and how much of it is done, of how much.

    Returns:
        What `diagnostics.json` holds: `format`, `version`, `split`, what
        `Figures.result` returns, and `importance`, if it was measured.

    Raises:
        HomeError: If the run has no checkpoint or another data, there are no rows in
            the split, a pattern matches no column, or the other Keras trained the run.
    """
    config, folder = run.load_config(), run.find_best()
    experiment = Experiment.open(config, run.open_data(data))
    experiment.check_rows(split, needed_by="a diagnosis")
    network = experiment.load_network(folder)
    inspector = Inspector(network)
    widths = {
        **_widths(network.features),
        **dict.fromkeys(experiment.preprocessor.numeric_features, 1),
    }
    figures, done = Figures(widths), 0
    total = experiment.data.split(split).rows
    with experiment.explain_broken_records(split):
        for features, labels, *_ in experiment.read(split):
            figures.add(inspector.read(features))
            done += len(next(iter(labels.values())))
            if progress is not None:
                progress("reading rows", done, total)
    found = {
        "format": FORMAT,
        "version": VERSION,
        "split": split,
        **figures.result(),
    }
    if importance_of:
        found["importance"] = permutation_importance(
            experiment, network, split, columns=importance_of, progress=progress
        )
    write_json(run.diagnostics_file, found)
    return found


def _widths(features: Any) -> dict[str, int]:
    """`{feature: width}` of the embedded features of a `FeatureEmbedding`."""
    tables = features.tables
    return {name: tables[one.table].width for name, one in features.features.items()}
