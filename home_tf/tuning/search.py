"""A hyper-parameter search, trial by trial, which is stored in a file."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from home_tf.tuning.space import Parameters, Space, draw

# Random trials before the sampler considers their scores, including the first one.
_RANDOM_TRIALS = 6
# Trials that are never stopped early, as a reference for others.
_UNPRUNED_TRIALS = 4
_NAME = "home_tf"
# What is stored in addition to a trial's own draws.
_PARAMETERS, _REASON = "parameters", "failed"

_STATES: dict[TrialState, Literal["complete", "pruned", "failed"]] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


@dataclass(frozen=True)
class Trial:
    """A finished trial.

    Attributes:
        number: Its number.
        parameters: Its hyper-parameters.
        score: Its score, the higher the better; for a pruned trial, the best that it
            reported; None if it failed.
        state: `complete`, `pruned` (stopped early because others were better), or
            `failed`.
        seconds: How long it took.
        reason: Why it failed; "" if it did not.
    """

    number: int
    parameters: Parameters
    score: float | None
    state: Literal["complete", "pruned", "failed"]
    seconds: float
    reason: str = ""


class Search:
    """A hyper-parameter search that is stored in a file.

    The first trial is `defaults`. Optuna's TPE draws the others. What a trial draws
    depends only on the number of earlier trials and their scores: all searches of the
    same space begin alike, and an interrupted one resumes to the same end. Several
    trials may run in parallel; their draws then depend on the order in which they end.

    Args:
        file: Optuna's journal; a search in it resumes.
        space: The search space.
        defaults: The first trial; it need not lie in the space.
    """

    def __init__(self, file: Path, space: Space, defaults: Parameters) -> None:
        self._space, self._defaults = space, defaults
        self._lock = Lock()
        self._study = _open_study(file)

    @property
    def trials(self) -> list[Trial]:
        """The finished trials, in the order in which they began."""
        return [_describe(one) for one in self._study.trials if _has_ended(one)]

    @property
    def best(self) -> Trial | None:
        """The complete trial with the highest score; the first if several are equal."""
        complete = [one for one in self.trials if one.state == "complete"]
        return max(complete, key=lambda one: one.score or 0.0, default=None)

    def forget_running(self) -> None:
        """Drops the trials that were running when a process was killed."""
        for trial in self._study.get_trials(False, (TrialState.RUNNING,)):
            self._study.tell(trial.number, state=TrialState.FAIL)

    def run(self, trials: int, evaluate: Callable[[Parameters], float]) -> Parameters:
        """Runs one trial after the other until the given number have ended.

        Args:
            trials: Number of trials; with 0 the result is `defaults`, untried.
            evaluate: From parameters to their score.

        Returns:
            The parameters with the highest score.
        """
        self.forget_running()
        while len(self.trials) < trials:
            number, parameters = self.ask()
            self.tell(number, evaluate(parameters))
        return self.best.parameters if self.best else self._defaults

    def ask(self) -> tuple[int, Parameters]:
        """Begins a trial.

        Returns:
            Its number and its parameters.
        """
        with self._lock, _quiet():
            begun = [t for t in self._study.trials if _counts(t)]
            before = len(begun)
            self._study.sampler = optuna.samplers.TPESampler(
                seed=before, n_startup_trials=_RANDOM_TRIALS, constant_liar=True
            )
            trial = self._study.ask()
            tried = [one.user_attrs.get(_PARAMETERS) for one in begun]
            parameters = (
                draw(self._space, trial) if self._defaults in tried else self._defaults
            )
            trial.set_user_attr(_PARAMETERS, parameters)
            return trial.number, parameters

    def tell(self, number: int, score: float) -> None:
        """Records that a trial is complete.

        Args:
            number: Its number.
            score: Its score.
        """
        self._study.tell(number, score)

    def tell_pruned(self, number: int) -> None:
        """Records that a trial was stopped early."""
        self._study.tell(number, state=TrialState.PRUNED)

    def tell_failed(self, number: int, reason: str) -> None:
        """Records that a trial failed.

        Args:
            number: Its number.
            reason: Why, in one line.
        """
        self._running(number).set_user_attr(_REASON, reason)
        self._study.tell(number, state=TrialState.FAIL)

    def report(self, number: int, step: int, score: float) -> bool:
        """Reports a score of a running trial, possibly of another process.

        Args:
            number: The number of the trial.
            step: Its progress, such as the number of the validation.
            score: The score there.

        Returns:
            Whether to stop it: other trials were better at this step.
        """
        trial = self._running(number)
        trial.report(score, step)
        return trial.should_prune()

    def importances(self) -> dict[str, float]:
        """The importance of each hyper-parameter for the score, in shares of 1.

        Returns:
            `{key: share}`, the largest first; empty with too few trials to tell.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            try:
                return dict(
                    optuna.importance.get_param_importances(
                        self._study, evaluator=evaluator, params=list(self._space)
                    )
                )
            except (ValueError, RuntimeError):  # too few trials, or equal scores
                return {}

    def _running(self, number: int) -> optuna.Trial:
        (found,) = (t for t in self._study.get_trials(False) if t.number == number)
        with _quiet():
            return optuna.Trial(self._study, found._trial_id)


def _open_study(file: Path) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(file))),
        study_name=_NAME,
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED_TRIALS),
    )


def _has_ended(trial: FrozenTrial) -> bool:
    # A trial that a killed process left has no reason.
    failed = trial.state == TrialState.FAIL and _REASON in trial.user_attrs
    return failed or trial.state in (TrialState.COMPLETE, TrialState.PRUNED)


def _counts(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.RUNNING or _has_ended(trial)


def _describe(trial: FrozenTrial) -> Trial:
    duration: Any = trial.duration
    reported = trial.intermediate_values.values()
    return Trial(
        number=trial.number,
        parameters=trial.user_attrs[_PARAMETERS],
        score=max(reported, default=None)
        if trial.state == TrialState.PRUNED
        else trial.value,
        state=_STATES[trial.state],
        seconds=duration.total_seconds(),
        reason=trial.user_attrs.get(_REASON, ""),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences Optuna's warnings about experimental features."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
