"""The search for a contender's hyper-parameters, trial by trial."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna

from home_tf.files import read_json, write_json

Parameters = dict[str, Any]

# Trials at random before the sampler looks at what they scored.
_RANDOM_TRIALS = 5


def tune(
    file: Path,
    *,
    trials: int,
    defaults: Parameters,
    suggest: Callable[[optuna.Trial], Parameters],
    evaluate: Callable[[Parameters], float],
) -> Parameters:
    """Finds the best hyper-parameters within a number of trials.

    The first trial is `defaults`. The others are drawn by Optuna's TPE; the draw of
    trial `i` depends on `i` and on the trials before it alone, so that all contenders
    of one space begin alike, and an interrupted search goes on to the same end.

    Args:
        file: Where the trials are kept; a search that it holds goes on.
        trials: Number of trials; with 0 the result is `defaults`, untried.
        defaults: The first trial.
        suggest: Draws the parameters of a trial.
        evaluate: From parameters to their score, the higher the better.

    Returns:
        The parameters with the highest score.
    """
    done: list[dict[str, Any]] = read_json(file)["trials"] if file.is_file() else []
    for number in range(len(done), trials):
        parameters = defaults if number == 0 else _next_trial(done, number, suggest)
        score = evaluate(parameters)
        done.append({"parameters": parameters, "score": score})
        write_json(file, {"trials": done})
    if not done:
        return defaults
    best: Parameters = max(done, key=lambda trial: trial["score"])["parameters"]
    return best


def _next_trial(
    done: list[dict[str, Any]],
    number: int,
    suggest: Callable[[optuna.Trial], Parameters],
) -> Parameters:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=number, n_startup_trials=_RANDOM_TRIALS)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    # Not the first trial: the defaults need not lie in the space.
    for trial in done[1:]:
        study.enqueue_trial(trial["parameters"])
        told = study.ask()
        suggest(told)
        study.tell(told, trial["score"])
    return suggest(study.ask())
