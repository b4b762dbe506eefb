"""One job of a comparison, in the process that `jobs.py` starts for it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from home_tf.config import Config, override_config
from home_tf.errors import HomeError
from home_tf.files import read_json, write_json
from home_tf.lab.comparison import search_space
from home_tf.lab.comparison.budget import Size, fit_to_budget, network_size
from home_tf.lab.comparison.compared_model import HOME, LIGHTGBM, ComparedModel
from home_tf.lab.comparison.fold_trainer import FoldTrainers
from home_tf.lab.comparison.plan import Plan, choice_file
from home_tf.lab.comparison.trainer import Trainer
from home_tf.lab.comparison.training import Training, run_training
from home_tf.tuning import NETWORK_SPACE, Search


def main(text: str) -> None:
    """Runs a job.

    Args:
        text: JSON of the comparison's folder `out`, a `model`, the number of
            `threads`, and for trainings a `fold` and `seeds`. Without these the job
            chooses the model's size and hyper-parameters.
    """
    job = json.loads(text)
    tf.config.threading.set_intra_op_parallelism_threads(job["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(job["threads"])
    out, model = Path(job["out"]), ComparedModel(**job["model"])
    if "fold" in job:
        train_model(out, model, job["fold"], seeds=job["seeds"], threads=job["threads"])
    else:
        choose(out, model, threads=job["threads"])


def choose(out: Path, model: ComparedModel, *, threads: int = 1) -> None:
    """Sizes a model and tunes it on the earliest fold, without its test split.

    The validation rows of later folds are test rows of earlier ones; those of the
    earliest fold are not. A variant takes over what was chosen for its plain
    architecture, so that nothing else differs.

    Args:
        out: The folder of the comparison.
        model: The model. The choices for the plain one have been made.
        threads: Number of threads.
    """
    plan = Plan.load(out)
    config, fold = plan.config_of(model), plan.make_folds(out)[0]
    trainers = FoldTrainers(plan, config, fold, threads)
    size, units = Size(params=0, flops=0), None
    if model.architecture != LIGHTGBM:
        config = _fit_to_budget(plan, model, config, trainers)
        size = network_size(config, trainers.preprocessor)
        units = list(config.model.architecture.arguments["expert"].units)
    if model == model.plain:
        parameters = _tune(out, plan, model, config, trainers)
    else:
        parameters = _take_over(out, plan, model)
    write_json(
        choice_file(out, model),
        {**asdict(size), "units": units, "parameters": parameters},
    )
    _say(f"{model.name}: chose {_short(parameters)}")


def _fit_to_budget(
    plan: Plan, model: ComparedModel, config: Config, trainers: FoldTrainers
) -> Config:
    if model.architecture == HOME:
        return config
    home = ComparedModel(HOME, HOME, changes=model.changes)
    return fit_to_budget(
        config, plan.config_of(home), plan.budget, trainers.preprocessor
    )


def _tune(
    out: Path, plan: Plan, model: ComparedModel, config: Config, trainers: FoldTrainers
) -> dict[str, Any]:
    space, defaults = search_space.LIGHTGBM_SPACE, search_space.LIGHTGBM_DEFAULTS
    if model.architecture != LIGHTGBM:
        space, defaults = NETWORK_SPACE, search_space.network_defaults(config)
    file = choice_file(out, model)
    search = Search(file.with_name(f"{file.stem}-trials.log"), space, defaults)
    return search.run(
        plan.trials,
        lambda p: _score(trainers.make(model, config, p), plan.tuning_seeds),
    )


def _take_over(out: Path, plan: Plan, model: ComparedModel) -> dict[str, Any]:
    """Returns the choices for the plain architecture, without changed keys."""
    chosen = read_json(choice_file(out, model.plain))["parameters"]
    own = model.overrides(plan.changes)
    return {key: value for key, value in chosen.items() if key not in own}


def _score(trainer: Trainer, seeds: int) -> float:
    """The mean score of a trial's trainings; an undefined one is 0, the worst."""
    try:
        scores = [trainer.fit(seed).score for seed in range(seeds)]
        return float(np.nan_to_num(np.mean(scores)))
    except HomeError:  # of the metrics, which take no NaN
        return 0.0


def train_model(
    out: Path, model: ComparedModel, fold: int, *, seeds: list[int], threads: int = 1
) -> None:
    """Trains the seeds of a model on a fold, one after the other.

    Args:
        out: The folder of the comparison.
        model: The model, for which `choose` has been called.
        fold: Number of the fold.
        seeds: The seeds.
        threads: Number of threads.
    """
    plan = Plan.load(out)
    chosen = read_json(choice_file(out, model))
    config = plan.config_of(model)
    trainers = FoldTrainers(plan, config, plan.make_folds(out)[fold], threads)
    if model.architecture != LIGHTGBM:
        units = {"model.architecture.expert.units": chosen["units"]}
        config = override_config(config, units)
    trainer = trainers.make(model, config, chosen["parameters"])
    test = trainers.load("test")
    origin = {
        **trainers.provenance,
        "threads": threads,
        "single_feature_auc": trainers.single_feature_auc(test),
    }

    def work(training: Training) -> dict[str, Any]:
        result = trainer.fit(training.seed)
        probabilities = trainer.predict(test)
        return training.save(
            result,
            test,
            probabilities,
            experts=trainer.measure_experts(test),
            replicates=plan.replicates,
            origin=origin,
        )

    for seed in seeds:
        run_training(Training(model, fold, seed, out), work, _say)


def _say(line: str) -> None:
    print(line, flush=True)


def _short(parameters: dict[str, Any]) -> str:
    return ", ".join(
        f"{name.rsplit('.', 1)[-1]} {value:.3g}" for name, value in parameters.items()
    )
