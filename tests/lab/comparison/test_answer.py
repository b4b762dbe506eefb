"""What HoME is said to be better than."""

import numpy as np
import pytest

from home_tf.lab.comparison import compared_models
from home_tf.lab.comparison.answer import answer
from home_tf.lab.comparison.plan import Plan
from home_tf.lab.comparison.statistics import Results
from home_tf.lab.comparison.summary import Row, Summary

TASKS = ["long_view", "is_click", "is_like"]
NAMES = ["home", "mmoe", "home-fg-sg-mask"]


@pytest.fixture
def summarize(small_config):
    """A summary in which all replicates of a model are its value plus common noise."""

    def make(levels, *, seeds, trials=8, best_epoch=1, single_feature=0.5, **overrides):
        plan = Plan(
            config=small_config(**overrides),
            source="logs",
            splits=({"by": "shares"},),
            trials=trials,
            tuning_seeds=1,
            budget="paper",
            metric="auc",
            replicates=100,
        )
        noise = np.random.default_rng(0).normal(size=(1, seeds, 3, 100))
        rows = []
        for name, level, sign in zip(NAMES, levels, (1, 1, -1), strict=False):
            values = np.full((1, seeds, 3), level)
            # The last one moves against the others, so that it differs in nothing.
            replicates = values[..., None] + sign * noise
            content = {
                "auc": dict.fromkeys(TASKS, level),
                "single_feature_auc": dict.fromkeys(TASKS, single_feature),
                "history": [{}],
                "best_epoch": best_epoch,
                "positives": dict.fromkeys(TASKS, 500),
            }
            rows.append(
                Row(
                    model=compared_models([name])[-1],
                    results=dict.fromkeys(plan.metrics, Results(values, replicates)),
                    contents={(0, seed): content for seed in range(seeds)},
                    errors={},
                    params=None,
                    flops=None,
                    parameters={},
                )
            )
        return Summary(plan=plan, tasks=TASKS, rows=rows)

    return make


def test_with_several_seeds_it_says_what_is_significant(summarize):
    lines = answer(summarize([0.71, 0.7, 0.69], seeds=3)).splitlines()
    assert lines[0] == "HoME against, mean over 3 tasks:"
    assert lines[1] == (
        "  mmoe             AUC  +0.0100 [+0.0100, +0.0100]  significantly better"
    )
    assert lines[2].startswith("                   GAUC +0.0100 [")
    assert lines[3].startswith("  home-fg-sg-mask  AUC  +0.0200 [-")
    assert lines[3].endswith("  no significant difference")
    assert max(map(len, lines)) <= 80
    drawn = (
        "The 95 % intervals say what other values of `user_id` and other seeds would"
    )
    assert " ".join(lines[-2:]) == f"{drawn} have changed."


def test_one_seed_makes_nothing_significant(summarize):
    summary = summarize(
        [0.7, 0.71], seeds=1, trials=0, evaluation={"bootstrap_replicates": 20}
    )
    text = answer(summary)
    line = "  mmoe  AUC -0.0100 [-0.0100, -0.0100]  worse with this seed"
    assert text.splitlines()[1] == line
    assert "significant" not in text
    assert "other test rows would have changed, but" in text
    assert "Nothing was tuned" in text


def test_the_mean_is_over_the_monitored_tasks(summarize):
    summary = summarize([0.7, 0.7], seeds=2, training__monitor_tasks=["is_click"])
    values = np.array([[[0.1, 0.72, 0.1]] * 2])
    home = summary.rows[0].results
    for metric in home:
        home[metric] = Results(values, home[metric].replicates)
    lines = answer(summary).splitlines()
    assert lines[0] == "HoME against, is_click:"
    assert "AUC  +0.0200 [" in lines[1]
    two = summarize([0.7, 0.7], seeds=2, training__monitor_tasks=TASKS[:2])
    first = answer(two).splitlines()[0]
    assert first == "HoME against, mean over 2 tasks of `training.monitor_tasks`:"


def test_networks_that_were_still_learning_are_named(summarize):
    assert "last epoch" not in answer(summarize([0.7, 0.7], seeds=1))
    text = answer(summarize([0.7, 0.7], seeds=1, best_epoch=2))
    assert "Best in the last epoch: home, mmoe. " in text


def test_nothing_is_said_of_networks_that_a_single_feature_beats(summarize):
    text = answer(summarize([0.7, 0.71], seeds=3, single_feature=0.705))
    assert text.startswith("Too short to compare. home: the mean AUC is not above")
    assert "mmoe" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_alone_there_is_nothing_to_say(summarize):
    text = answer(summarize([0.7], seeds=3))
    assert text == "There is nothing to compare HoME with."
