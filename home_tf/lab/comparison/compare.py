"""Running a comparison from a log to tables: folds, tuning, trainings, results."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from home_tf.config import Config
from home_tf.errors import HomeError, check_at_least
from home_tf.files import locked
from home_tf.lab.comparison.budget import Budget
from home_tf.lab.comparison.changes import Changes, check_changes
from home_tf.lab.comparison.compared_model import ComparedModel, compared_models
from home_tf.lab.comparison.fold import make_folds, prepare_fold
from home_tf.lab.comparison.jobs import Job, run_jobs
from home_tf.lab.comparison.plan import Plan, choice_file
from home_tf.lab.comparison.results import write_results
from home_tf.lab.comparison.training import Training, trainings_in

Say = Callable[[str], None]


def compare(
    config: Config,
    source: str | Path | None,
    out: str | Path,
    *,
    architectures: Sequence[str],
    changes: Changes | None = None,
    seeds: int = 5,
    folds: int | None = None,
    trials: int = 8,
    tuning_seeds: int = 3,
    budget: Budget = "same-params",
    metric: str = "auc",
    replicates: int = 1000,
    jobs: int = 1,
    say: Say = print,
) -> list[Training]:
    """Trains and compares architectures; see `docs/benchmarks/comparison.md`.

    A call on the folder of an unfinished comparison resumes it: finished trainings are
    kept, and architectures and seeds may be added.

    Args:
        config: The data, the features, the tasks, and the sizes of HoME.
        source: The folder of the files that `data` names; None for that of the
            configuration.
        out: The folder of the comparison.
        architectures: Names, as `compared_models` takes them; HoME always takes part.
        changes: Changes to the configuration that `architectures` may name, `{name:
            {dotted key: value}}`; a `*` in a key matches anything. They may set
            keys of `features`, `model` and `training`.
        seeds: Number of seeds, which are 0, 1, ...
        folds: Number of folds; by default 3, or 1 where `data.split` is by time or by
            a column.
        trials: Trials of each model's search for hyper-parameters; 0 for none.
        tuning_seeds: Trainings of a trial, with the seeds 0, 1, ...; their scores are
            averaged.
        budget: What the networks have in common.
        metric: `auc` or `gauc`; its validation mean picks epochs and trials.
        replicates: Draws of the bootstrap, over users if `evaluation.group_by` names
            them, else over rows.
        jobs: Number of parallel processes.
        say: Called with lines about the progress.

    Returns:
        The trainings without a result; `out` has the reasons.

    Raises:
        HomeError: If an argument is out of its range, the source is not as expected, or
            `out` holds something else or is being written by another process.
    """
    counts = {"seeds": seeds, "tuning_seeds": tuning_seeds, "replicates": replicates}
    for name, value in {
        **counts,
        "folds": 1 if folds is None else folds,
        "jobs": jobs,
    }.items():
        check_at_least(name, value, 1)
    check_at_least("trials", trials, 0)
    changes = dict(changes or {})
    check_changes(config, changes)
    chosen = compared_models(architectures, changes)
    _check_groups(config, metric)
    out = Path(out).absolute()
    source = _folder(config, source)
    made = make_folds(config, source, out / "folds", folds)
    plan = Plan(
        config=config,
        source=str(source),
        splits=tuple(fold.split for fold in made),
        trials=trials,
        tuning_seeds=tuning_seeds,
        budget=budget,
        metric=metric,
        replicates=replicates,
        changes=changes,
    )
    if not plan.is_in(out):
        # Errors in the data are reported before there is a comparison.
        with plan.create(out) as aside:
            prepare_fold(plan.make_folds(aside)[0], config, source, say)
    busy = f"{out}: this comparison is being run by another process. Wait for its end"
    with locked(out / ".lock", busy):
        for fold in made:
            prepare_fold(fold, config, source, say)
        # Trainings of earlier calls stay in the tables.
        plan = plan.add_to(out)
        earlier = trainings_in(out, plan.changes)
        threads = max(1, (os.cpu_count() or 1) // jobs)
        unchosen = _choose(out, chosen, threads, jobs, say)
        trainings = [
            Training(model, fold.number, seed, out)
            for fold in made
            for model in chosen
            for seed in range(seeds)
        ]
        _train(trainings, unchosen, threads, jobs, say)
        say(write_results(plan, list(dict.fromkeys([*trainings, *earlier]))))
    return [training for training in trainings if not training.is_finished]


def _check_groups(config: Config, metric: str) -> None:
    if metric == "gauc" and config.evaluation.group_by is None:
        raise HomeError(
            "to select by GAUC, set `evaluation.group_by` to the column of user ids. "
            "Or select by auc"
        )


def _folder(config: Config, source: str | Path | None) -> Path:
    if source is None:
        source = config.data.folder if config.data else "."
    return Path(source).absolute()


def _choose(
    out: Path, chosen: list[ComparedModel], threads: int, at_once: int, say: Say
) -> dict[ComparedModel, str]:
    """Sizes and tunes the remaining models; returns why some failed."""
    failed: dict[ComparedModel, str] = {}

    def on_end(job: Job, reason: str | None) -> list[Job]:
        if reason is not None:
            failed[job.model] = reason
            say(f"FAILED to tune {job.model.name}: {reason}")
        return []

    # Variants take over what was chosen for the plain architectures.
    plain = list(dict.fromkeys(one.plain for one in chosen))
    for step in (plain, [one for one in chosen if one not in plain]):
        for one in step:
            if one.plain in failed:
                failed[one] = failed[one.plain]
        new = [
            Job(out, one, threads)
            for one in step
            if one not in failed and not choice_file(out, one).is_file()
        ]
        run_jobs(new, at_once=at_once, on_end=on_end)
    return failed


def _train(
    trainings: list[Training],
    unchosen: dict[ComparedModel, str],
    threads: int,
    at_once: int,
    say: Say,
) -> None:
    """Runs the unfinished trainings, those of the same fold and model together."""
    rows: dict[tuple[ComparedModel, int], list[Training]] = {}
    for training in trainings:
        if training.is_finished:
            continue
        training.error_file.unlink(missing_ok=True)
        if training.model in unchosen:
            training.fail(unchosen[training.model])
        else:
            rows.setdefault((training.model, training.fold), []).append(training)

    def on_end(job: Job, reason: str | None) -> list[Job]:
        mine = rows[job.model, job.fold or 0]
        left = [c for c in mine if not c.is_finished and not c.error_file.is_file()]
        if reason is None or not left:
            return []
        # The process died in the first of these; the others get a new one.
        left[0].fail(reason)
        say(f"FAILED {left[0]}: {reason}")
        return [_job(left[1:], threads)] if left[1:] else []

    run_jobs(
        [_job(row, threads) for row in rows.values()], at_once=at_once, on_end=on_end
    )


def _job(row: list[Training], threads: int) -> Job:
    seeds = tuple(training.seed for training in row)
    return Job(row[0].out, row[0].model, threads, fold=row[0].fold, seeds=seeds)
