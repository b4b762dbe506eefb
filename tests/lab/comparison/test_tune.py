"""The search for hyper-parameters."""

import json

import optuna
import pytest

from home_tf.lab.comparison.search_space import (
    LIGHTGBM_DEFAULTS,
    suggest_lightgbm,
    suggest_network,
)
from home_tf.lab.comparison.tune import tune


def suggest(trial):
    return {"x": trial.suggest_float("x", 0.0, 1.0)}


def score(parameters):
    return -((parameters["x"] - 0.3) ** 2)


def run(file, trials, seen):
    def evaluate(parameters):
        seen.append(parameters["x"])
        return score(parameters)

    return tune(
        file, trials=trials, defaults={"x": 2.0}, suggest=suggest, evaluate=evaluate
    )


def test_the_defaults_are_the_first_trial_and_the_best_one_wins(tmp_path):
    seen = []
    best = run(tmp_path / "trials.json", 12, seen)
    assert seen[0] == 2.0
    assert len(set(seen)) == 12
    assert best["x"] == min(seen, key=lambda x: abs(x - 0.3))
    kept = json.loads((tmp_path / "trials.json").read_text())["trials"]
    assert [trial["parameters"]["x"] for trial in kept] == seen


def test_without_trials_the_defaults_are_taken(tmp_path):
    seen = []
    assert run(tmp_path / "trials.json", 0, seen) == {"x": 2.0}
    assert seen == []


def test_an_interrupted_search_goes_on_to_the_same_trials(tmp_path):
    whole, parts = [], []
    run(tmp_path / "whole.json", 9, whole)
    for trials in (3, 8, 9):
        run(tmp_path / "parts.json", trials, parts)
    assert parts == whole


def test_the_search_learns_from_its_trials(tmp_path):
    """The last ten trials lie nearer to the optimum than draws at random would."""
    seen = []
    run(tmp_path / "trials.json", 30, seen)
    assert sum(abs(x - 0.3) for x in seen[-10:]) / 10 < 0.2


@pytest.mark.parametrize("space", [suggest_network, suggest_lightgbm])
def test_a_space_draws_what_its_trainer_takes(space, small_config):
    from home_tf.config import override_config

    found = space(optuna.create_study().ask())
    if space is suggest_lightgbm:
        assert set(found) == set(LIGHTGBM_DEFAULTS)
    else:
        changed = override_config(small_config(), found)
        assert changed.training.learning_rate == found["training.learning_rate"]
