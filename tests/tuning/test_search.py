"""The search for hyper-parameters, without training anything."""

import numpy as np
import pytest

from home_tf.config import override_config
from home_tf.errors import HomeError
from home_tf.tuning import NETWORK_SPACE, Search, make_space

SPACE = make_space({"x": {"low": 0.0, "high": 1.0}})


def score(parameters):
    return -((parameters["x"] - 0.3) ** 2)


def run(file, trials, seen):
    def evaluate(parameters):
        seen.append(parameters["x"])
        return score(parameters)

    return Search(file, SPACE, {"x": 2.0}).run(trials, evaluate)


def test_the_defaults_are_the_first_trial_and_the_best_one_wins(tmp_path):
    seen = []
    best = run(tmp_path / "trials.log", 12, seen)
    assert seen[0] == 2.0
    assert len(set(seen)) == 12
    assert best["x"] == min(seen, key=lambda x: abs(x - 0.3))
    kept = Search(tmp_path / "trials.log", SPACE, {}).trials
    assert [trial.parameters["x"] for trial in kept] == seen
    assert [trial.score for trial in kept] == [score({"x": x}) for x in seen]


def test_without_trials_the_defaults_are_taken(tmp_path):
    seen = []
    assert run(tmp_path / "trials.log", 0, seen) == {"x": 2.0}
    assert seen == []


def test_an_interrupted_search_goes_on_to_the_same_trials(tmp_path):
    whole, parts = [], []
    run(tmp_path / "whole.log", 9, whole)
    for trials in (3, 8, 9):
        run(tmp_path / "parts.log", trials, parts)
        # A process that is killed leaves a trial that never ends.
        Search(tmp_path / "parts.log", SPACE, {"x": 2.0}).ask()
    assert parts == whole


def test_the_defaults_are_tried_though_a_kill_took_them(tmp_path):
    search = Search(tmp_path / "trials.log", SPACE, {"x": 2.0})
    (_, defaults), (number, drawn) = search.ask(), search.ask()
    search.tell(number, score(drawn))
    # Killed while the first trial was running, and the second one had ended.
    seen = []
    run(tmp_path / "trials.log", 3, seen)
    assert defaults == {"x": 2.0}
    assert seen[0] == 2.0
    assert len({drawn["x"], *seen}) == 3


def test_the_search_learns_from_its_trials(tmp_path):
    """The last ten trials lie nearer to the optimum than draws at random would."""
    seen = []
    run(tmp_path / "trials.log", 30, seen)
    assert sum(abs(x - 0.3) for x in seen[-10:]) / 10 < 0.2


def test_what_is_drawn_lies_in_the_space(tmp_path):
    space = make_space(
        {
            "rate": {"low": 1e-4, "high": 1e-2, "log": True},
            "layers": {"low": 1, "high": 3},
            "units": {"choices": [[32], [64, 32], None]},
        }
    )
    search, drawn = Search(tmp_path / "trials.log", space, {}), []
    search.run(40, lambda parameters: drawn.append(parameters) or 0.0)
    assert drawn[0] == {}
    rates = [one["rate"] for one in drawn[1:]]
    assert 1e-4 <= min(rates) < 1e-3 < max(rates) <= 1e-2
    assert {one["layers"] for one in drawn[1:]} == {1, 2, 3}
    units = [one["units"] for one in drawn[1:]]
    assert all(any(one == each for one in units) for each in ([32], [64, 32], None))


def test_trials_that_run_at_once_draw_different_values(tmp_path):
    search = Search(tmp_path / "trials.log", SPACE, {"x": 2.0})
    drawn = [search.ask()[1]["x"] for _ in range(6)]
    assert drawn[0] == 2.0
    assert len(set(drawn)) == 6


def test_a_trial_that_is_worse_than_the_others_is_stopped(tmp_path):
    search = Search(tmp_path / "trials.log", SPACE, {"x": 2.0})
    for value in (0.5, 0.6, 0.7, 0.8):
        number, _ = search.ask()
        assert not search.report(number, 1, value)
        search.tell(number, value)
    number, _ = search.ask()
    assert not search.report(number, 1, 0.75)
    search.tell(number, 0.75)
    number, _ = search.ask()
    assert search.report(number, 1, 0.55)  # the median of the others is 0.7
    search.tell_pruned(number)
    number, _ = search.ask()
    search.tell_failed(number, "it diverged")
    *_, pruned, failed = search.trials
    assert (pruned.state, pruned.score) == ("pruned", 0.55)
    assert (failed.state, failed.score, failed.reason) == (
        "failed",
        None,
        "it diverged",
    )
    assert search.best.score == 0.8


def test_the_parameter_that_decides_is_the_most_important(tmp_path):
    space = make_space(
        {"noise": {"low": 0.0, "high": 1.0}, "x": {"low": 0.0, "high": 1.0}}
    )
    search = Search(tmp_path / "trials.log", space, {})
    search.run(30, lambda p: score(p) if p else -1.0)
    shares = search.importances()
    assert list(shares) == ["x", "noise"]
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["x"] > 0.8
    assert Search(tmp_path / "new.log", space, {}).importances() == {}


def test_the_networks_space_draws_what_a_configuration_takes(tmp_path, small_config):
    search = Search(tmp_path / "trials.log", NETWORK_SPACE, {})
    search.ask()
    _, found = search.ask()
    changed = override_config(small_config(), found)
    assert changed.training.learning_rate == found["training.learning_rate"]
    assert changed.model.dropout == found["model.dropout"]


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({}, "at least one key"),
        ({"a": 1}, "`a` must look like"),
        ({"a": {"low": 1}}, "`a` must look like"),
        ({"a": {"low": 1, "high": 2, "lg": True}}, "`a` must look like"),
        ({"a": {"choices": 3}}, "`a` must look like"),
        ({"a": {"choices": [3]}}, "`a`: `choices` must have at least two values"),
        ({"a": {"low": 2, "high": 1}}, "`a`: `low` must be less than `high`"),
        ({"a": {"low": "x", "high": 1}}, "`a`: `low` and `high` must be finite"),
        ({"a": {"low": 0, "high": np.inf}}, "`a`: `low` and `high` must be finite"),
        ({"a": {"low": 0, "high": 1, "log": True}}, "`a`: `low` must be greater"),
    ],
)
def test_spaces_that_are_none_are_refused(values, match):
    with pytest.raises(HomeError, match=match):
        make_space(values)
