"""What decides how well rare tasks are learnt from little data.

    python benchmarks/rare_tasks.py --source path/to/excerpt --work FOLDER

Trains networks on all days before 1, 2 and 3 May 2022, which are no test days of the
comparison, scores them on that day, and prints for each kind, over the days and seeds:
the mean AUC and GAUC over the ten tasks, the mean AUC over the monitored ones, and what
the three rarest tasks predict over what they observe. AdaTT and, starred, AdaTT and
Single-Task with HoME's experts, as large as HoME, are the measure. Nothing is tuned:
the settings are what the search of `home-tf compare` chose for HoME and AdaTT, or the
learning rate of the configuration.
"""

import argparse
from pathlib import Path

import numpy as np

MOMENTUM = "model.architecture.expert.batch_norm_momentum"
SCALE = "model.architecture.expert.batch_norm_initial_scale"
DAYS = {20220501: 20220502, 20220502: 20220503, 20220503: 20220504}
SETTINGS = {
    "training.learning_rate": 0.0045,
    "model.embedding_l2": 2.9e-5,
    "model.dropout": 0.05,
    MOMENTUM: 0.967,
}
CONFIGURED_RATE = {"training.learning_rate": 0.001}
RATES = {"model.initial_rates": True}
# As large as HoME.
ADATT = {"model.architecture.expert.units": [81, 41]}
SINGLE_TASK = {"model.architecture.expert.units": [108, 54]}
KINDS = {
    "initial scale 1": ("home", {SCALE: 1.0}),
    "initial scale 0.3": ("home", {SCALE: 0.3}),
    "initial scale 0.1": ("home", {}),
    "momentum 0.8": ("home", {SCALE: 1.0, MOMENTUM: 0.8}),
    "without BatchNorm": ("home-swish", {}),
    "ReLU experts": ("home-relu", {}),
    "AdaTT": ("adatt", ADATT),
    "AdaTT*": ("adatt*", ADATT),
    "Single-Task*": ("single_task*", SINGLE_TASK),
    "twice as wide outputs": ("home", {"model.architecture.expert.units": [64, 64]}),
    "initial rates": ("home", RATES),
    "AdaTT, initial rates": ("adatt", {**ADATT, **RATES}),
    "rate 0.001": ("home", CONFIGURED_RATE),
    "rate 0.001, initial rates": ("home", {**CONFIGURED_RATE, **RATES}),
}
RAREST = ("is_comment", "is_follow", "is_forward")


def score(config, kind, fold, seeds):
    """Means of the validation day, and the rarest tasks' calibration.

    Returns:
        `(seeds, 4)`: mean AUC and GAUC, monitored AUC, calibration.
    """
    from home_tf.config import override_config
    from home_tf.data import DatasetDirectory
    from home_tf.features import Preprocessor
    from home_tf.lab.comparison.cell import METRICS, measure
    from home_tf.lab.comparison.contender import contenders
    from home_tf.lab.comparison.fold_trainer import contender_config
    from home_tf.lab.comparison.network_trainer import NetworkTrainer
    from home_tf.lab.comparison.split_data import SplitData

    name, arguments = KINDS[kind]
    config = contender_config(config, contenders([name])[-1])
    config = override_config(config, {**SETTINGS, **arguments})
    data = DatasetDirectory(fold.folder)
    preprocessor = Preprocessor(config.features, data)
    train, validation = (
        SplitData.load(config, data, split, preprocessor)
        for split in ("train", "validation")
    )
    trainer = NetworkTrainer(config, preprocessor, train, validation, "auc")
    found = []
    for seed in range(seeds):
        trainer.fit(seed)
        predicted = trainer.predict(validation)
        measured = measure(validation, predicted)
        means = [np.mean(list(measured[m].values())) for m in METRICS]
        monitored = config.training.monitor_tasks
        means.append(np.mean([measured["auc"][task] for task in monitored]))
        found.append([*means, calibration(predicted, validation.labels)])
    return np.array(found)


def calibration(predicted, labels):
    """The positives that the rarest tasks predict, over those that there are."""
    known = {task: labels[task] >= 0 for task in RAREST}
    expected = sum(predicted[task][known[task]].sum() for task in RAREST)
    return expected / sum(labels[task][known[task]].sum() for task in RAREST)


def main():
    """Trains all kinds on all days."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="For the records.")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--days", type=int, nargs="+", default=list(DAYS))
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    options = parser.parse_args()

    from home_tf.cli.start_tensorflow import start_tensorflow

    start_tensorflow("keras")
    from home_tf.config import load_config
    from home_tf.lab.comparison.fold import Fold, prepare_fold

    pipelines = Path(__file__).parents[1] / "pipelines"
    config = load_config(pipelines / "kuairand.yaml")
    folds = [
        Fold(
            0,
            {"by": "days", "validation": day, "test": DAYS[day]},
            options.work / str(day),
        )
        for day in options.days
    ]
    for fold in folds:
        prepare_fold(fold, config, options.source, print)
    for kind in options.kinds:
        found = [score(config, kind, fold, options.seeds) for fold in folds]
        auc, gauc, monitored, rarest = np.mean(found, axis=(0, 1))
        days = ", ".join(f"{np.mean(day[:, 0]):.4f}" for day in found)
        print(
            f"{kind:26} AUC {auc:.4f} (by day {days})  GAUC {gauc:.4f}  "
            f"monitored AUC {monitored:.4f}  "
            f"rarest predicted / observed {rarest:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
