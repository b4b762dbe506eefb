"""What the tests of the comparison share. It trains with Keras 3 in any case."""

import pytest

from home_tf.backend import IS_LEGACY

if IS_LEGACY:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def start_comparison(small_config, logs):
    """Writes the plan and the folds of a comparison, and chooses nothing."""
    from home_tf.lab.comparison.fold import make_folds, prepare_fold
    from home_tf.lab.comparison.plan import Plan

    def start(out, *, folds=1, trials=0, **overrides):
        config = small_config(training__framework="keras", **overrides)
        made = make_folds(config, logs, out / "folds", folds)
        plan = Plan(
            config=config,
            source=str(logs),
            splits=tuple(fold.split for fold in made),
            trials=trials,
            tuning_seeds=1,
            budget="paper",
            metric="auc",
            replicates=50,
        )
        with plan.create(out) as aside:
            for fold in plan.make_folds(aside):
                prepare_fold(fold, config, logs, lambda line: None)
        return plan

    return start
