"""Checks of how the sections of a configuration fit together."""

import fnmatch
import re
from typing import TYPE_CHECKING

from home_tf.config.score_config import SCORE
from home_tf.errors import HomeError
from home_tf.features import CategoricalFeature, check_references

if TYPE_CHECKING:
    from home_tf.config.config import Config

_TASK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*")


def check_config(config: "Config") -> None:
    """Checks a configuration across its sections.

    Raises:
        HomeError: If a name refers to nothing, or two settings contradict each other.
    """
    _check_task_names(config)
    check_references(config.features)
    _check_request_features(config)
    _check_candidates(config)
    _check_score(config)
    _check_outcomes(config)
    _check_monitor_tasks(config)
    _check_select_by(config)


def _check_task_names(config: "Config") -> None:
    for name in config.tasks:
        if not _TASK_NAME.fullmatch(name):
            raise HomeError(
                "the name of a task must consist of letters, digits, `_`, `-`, `.` and "
                "`/`, and start with a letter or digit, like TensorFlow's names. "
                f"Received: {name!r}"
            )


def _check_request_features(config: "Config") -> None:
    for pattern in config.serving.request_features:
        if not fnmatch.filter(config.features, pattern):
            raise HomeError(
                f"`serving.request_features` has {pattern!r}, which is not a feature"
            )
    of_requests = config.request_columns
    if of_requests and all(map(config.is_of_request, config.features)):
        raise HomeError(
            "`serving.request_features` contains all features: leave out the features "
            "of the candidates"
        )
    for name, feature in config.features.items():
        column = feature.column or name
        if column in of_requests and not config.is_of_request(name):
            raise HomeError(
                f"feature `{name}` reads `{column}` like one of "
                "`serving.request_features`: list both there, or neither"
            )


def _check_candidates(config: "Config") -> None:
    candidates = config.serving.candidates
    if candidates is None:
        return
    if not config.serving.request_features:
        raise HomeError(
            "`serving.candidates` requires `serving.request_features`: list the "
            "features of the user and the context there"
        )
    of_candidates = {
        feature.column or name
        for name, feature in config.features.items()
        if isinstance(feature, CategoricalFeature) and not config.is_of_request(name)
    }
    if candidates.column not in of_candidates:
        raise HomeError(
            f"`serving.candidates.column` is {candidates.column!r}, which no "
            "categorical feature of the candidates reads. Columns that they read: "
            f"{sorted(of_candidates)}"
        )


def _check_score(config: "Config") -> None:
    score = config.serving.score
    if score is None:
        return
    unknown = sorted(set(score.weights) - set(config.tasks))
    if unknown:
        raise HomeError(
            f"`serving.score.weights` names unknown tasks {unknown}; the tasks are "
            f"{sorted(config.tasks)}"
        )
    signed = [n for n in score.weights if not config.tasks[n].is_never_negative]
    if score.form == "product" and signed:
        raise HomeError(
            f"`serving.score` is a product, in which predictions of {signed} may be "
            "negative: use `form: sum`, or the loss `log1p` or `weighted_logistic`"
        )
    if SCORE in config.tasks:
        raise HomeError(
            f"`serving.score` adds an output `{SCORE}`, which is also the name of a "
            "task: rename the task"
        )


def _check_outcomes(config: "Config") -> None:
    outcomes = {task.label or name for name, task in config.tasks.items()}
    for name, feature in config.features.items():
        column = feature.column or name
        if column in outcomes:
            raise HomeError(
                f"feature `{name}` reads `{column}`, which is the label of a task: an "
                "outcome must not be a feature"
            )


def _check_monitor_tasks(config: "Config") -> None:
    unknown = set(config.training.monitor_tasks or ()) - set(config.tasks)
    if unknown:
        raise HomeError(
            f"`training.monitor_tasks` names unknown tasks {sorted(unknown)}; the "
            f"tasks are {sorted(config.tasks)}"
        )


def _check_select_by(config: "Config") -> None:
    if config.training.select_by == "gauc" and config.evaluation.group_by is None:
        raise HomeError(
            "`training.select_by` is gauc, which needs groups: set "
            "`evaluation.group_by` to the column of user ids"
        )
