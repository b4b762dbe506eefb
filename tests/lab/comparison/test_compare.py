"""The comparison as a whole: trainings, resuming, failures, outputs."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import home_tf
from home_tf.config import load_config
from home_tf.errors import HomeError
from home_tf.evaluation import bootstrap_values
from home_tf.files import locked
from home_tf.lab.cli.compare import compare as compare_command
from home_tf.lab.cli.find_source import find_source
from home_tf.lab.comparison import compare, compared_models, worker
from home_tf.lab.comparison import compare as compare_function
from home_tf.lab.comparison.budget import Size
from home_tf.lab.comparison.fold import make_folds
from home_tf.lab.comparison.jobs import Job, run_jobs
from home_tf.lab.comparison.plan import Plan, choice_file
from home_tf.lab.comparison.split_data import SplitData
from home_tf.lab.comparison.trainer import TrainingResult
from home_tf.lab.comparison.training import Training
from home_tf.prepare import list_days

MODULE = sys.modules[compare_function.__module__]
TASKS = ("long_view", "is_click", "is_like")
HOME, MASK, LIGHTGBM = compared_models(["home-mask", "lightgbm"])


class StubTrainer:
    """Predicts at random, and counts its fits."""

    fits: ClassVar[list[int]] = []

    def fit(self, seed):
        StubTrainer.fits.append(seed)
        self.random = np.random.default_rng(seed)
        history = [{"epoch": 1.0, "loss": 1.0, "score": 0.6}]
        return TrainingResult(0.6, 1, history, 1000.0, 7)

    def predict(self, split):
        return {task: self.random.random(split.rows) for task in split.labels}

    def measure_experts(self, split):
        return None  # as LightGBM, which has no experts


class StubTrainers:
    """Lends such trainers, and rows of 40 users."""

    likes = 0.2
    single_feature = 0.1

    revision = "abc123"

    def __init__(self, plan, config, fold, threads):
        self.preprocessor = None
        self.provenance = {
            "versions": {"home_tf": "1.0", "tensorflow": "2.21.0"},
            "git_revision": self.revision,
        }

    def make(self, model, config, parameters):
        return StubTrainer()

    def single_feature_auc(self, test):
        return dict.fromkeys(TASKS, self.single_feature)

    def load(self, split):
        random = np.random.default_rng(0)
        rates = {"long_view": 0.4, "is_click": 0.5, "is_like": self.likes}
        labels = {t: (random.random(400) < p) * 1.0 for t, p in rates.items()}
        return SplitData({}, labels, {}, random.integers(40, size=400))


@pytest.fixture
def stub(monkeypatch):
    """Trainings that cost nothing, in this process, without any records."""

    def run_here(jobs, *, at_once, on_end):
        for job in jobs:
            worker.main(job.to_json())
            assert on_end(job, None) == []

    StubTrainer.fits = []
    monkeypatch.setattr(worker, "FoldTrainers", StubTrainers)
    monkeypatch.setattr(worker, "network_size", lambda *_: Size(params=7, flops=9))
    monkeypatch.setattr(worker, "fit_to_budget", lambda config, *_: config)
    monkeypatch.setattr(MODULE, "prepare_fold", lambda *_: None)
    monkeypatch.setattr(MODULE, "run_jobs", run_here)
    monkeypatch.setattr("tensorflow.config.threading", _NoThreads())
    return StubTrainer


class _NoThreads:
    """TensorFlow takes the number of threads only before its first operation."""

    def set_intra_op_parallelism_threads(self, number):
        pass

    set_inter_op_parallelism_threads = set_intra_op_parallelism_threads


@pytest.fixture
def start(small_config, logs, tmp_path):
    def run(**options):
        settings = {"seeds": 2, "folds": 2, "trials": 2, "tuning_seeds": 1}
        settings["replicates"] = 20
        return compare(
            small_config(training__framework="keras"),
            logs,
            tmp_path / "out",
            **{"architectures": ["home-mask"], **settings, **options},
            say=lambda line: None,
        )

    return run


def test_folds_roll_back_from_the_last_day(small_config, logs, tmp_path):
    folds = make_folds(small_config(), logs, tmp_path, 3)
    days = [(fold.split["validation"], fold.split["test"]) for fold in folds]
    assert days == [(20220427, 20220428), (20220428, 20220429), (20220429, 20220430)]
    tests = {fold.split["test"] for fold in folds}
    assert folds[0].split["validation"] not in tests
    with pytest.raises(HomeError, match=r"has 6 days, enough for 4 folds. Received: "):
        make_folds(small_config(), logs, tmp_path, 5)


def test_days_need_no_history(small_config, logs):
    """The files of `data.history_log` may be missing, as those of KuaiRand may."""
    history = {"files": "history*.parquet"}
    days = list_days(logs, small_config(data__history_log=history))
    assert days == list(range(20220425, 20220431))


def test_the_last_fold_is_the_configured_split(small_config, logs, tmp_path):
    split = {"by": "days", "test": 20220429, "validation": 20220427, "first": 20220425}
    folds = make_folds(small_config(data__split=split), logs, tmp_path, 2)
    assert folds[-1].split == split
    earlier = {"validation": 20220426, "test": 20220428}
    assert folds[0].split == {**split, **earlier}
    with pytest.raises(HomeError, match=r"has 6 days, enough for 2 folds"):
        make_folds(small_config(data__split=split), logs, tmp_path, 3)


@pytest.mark.slow
def test_finished_trainings_are_not_run_again(start, stub, tmp_path):
    assert start() == []
    # Two trials, of HoME, and two models with two folds of two seeds.
    assert len(stub.fits) == 2 + 2 * 4
    assert start() == []
    assert len(stub.fits) == 10
    assert start(seeds=3) == []
    assert len(stub.fits) == 10 + 2 * 2
    assert start(architectures=["home-mask", "home-fg"], seeds=3) == []
    assert len(stub.fits) == 14 + 6
    assert not list((tmp_path / "out").rglob("*.partial"))


def test_what_earlier_calls_ran_stays_in_the_tables(start, stub, tmp_path):
    start(architectures=["mmoe*", "home-mask"], seeds=3)
    assert start(architectures=["home-fg"], seeds=1) == []
    out = tmp_path / "out"
    found = json.loads((out / "summary.json").read_text())["architectures"]
    trainings = {name: row["trainings"] for name, row in found.items()}
    assert trainings == {"home": 6, "home-fg": 2, "home-mask": 6, "mmoe*": 6}
    assert not any(row["missing"] for row in found.values())
    assert next(iter(found)) == "home"


def test_there_is_no_percentage_of_a_gauc_of_zero(start, stub, tmp_path):
    """With seed 0 the stub's HoME ranks the test rows backwards."""
    start(seeds=1)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["architectures"]["home"]["gauc"]["means"]["mean"]["value"] == 0
    assert "| - | 7 |" in (tmp_path / "out" / "table.md").read_text()


def test_trainings_of_something_unknown_are_told_before_any_training(
    start, stub, tmp_path
):
    start(seeds=1)
    (tmp_path / "out" / "trainings" / "mmoee" / "fold-0" / "seed-0").mkdir(parents=True)
    StubTrainer.fits = []
    with pytest.raises(HomeError, match=r"'mmoee'. Close: mmoe"):
        start(seeds=2)
    assert StubTrainer.fits == []


def test_the_tables_tell_what_made_the_trainings(start, stub, tmp_path, monkeypatch):
    start(architectures=["home"], folds=1)
    monkeypatch.setattr(StubTrainers, "revision", "def456")
    start(architectures=["home"], folds=1, seeds=3)
    table = (tmp_path / "out" / "table.md").read_text()
    for count, revision in ((2, "abc123"), (1, "def456")):
        assert (
            f"- {count} by home_tf 1.0, tensorflow 2.21.0, revision {revision}" in table
        )


@pytest.mark.slow
def test_a_baseline_with_missing_trainings_is_not_the_best(
    start, stub, tmp_path, monkeypatch
):
    """MMoE's one training is far better than what PLE has, for it is of another day."""
    usual, failed = Training.save, compared_models(["mmoe"])[-1]

    def save(self, result, test, probabilities, **options):
        if self.model == failed:
            if self.fold == 1:
                raise OSError("no space left")
            probabilities = test.labels
        return usual(self, result, test, probabilities, **options)

    monkeypatch.setattr(Training, "save", save)
    start(architectures=["mmoe", "ple"])
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    gauc = {n: summary["architectures"][n]["gauc"]["means"] for n in ("mmoe", "ple")}
    assert gauc["mmoe"]["mean"]["value"] > gauc["ple"]["mean"]["value"]
    assert summary["best_baseline"] == "ple"


@pytest.mark.slow
def test_a_killed_comparison_goes_on_where_it_was(start, stub, tmp_path, monkeypatch):
    usual = StubTrainer.predict

    def die(self, split):
        if len(StubTrainer.fits) == 2 + 3:  # in the third training
            raise KeyboardInterrupt
        return usual(self, split)

    with monkeypatch.context() as patch:
        patch.setattr(StubTrainer, "predict", die)
        with pytest.raises(KeyboardInterrupt):
            start()
    finished = list((tmp_path / "out").rglob("training.json"))
    before = {path: path.stat().st_mtime_ns for path in finished}
    assert len(finished) == 2
    StubTrainer.fits = []
    assert start() == []
    assert len(StubTrainer.fits) == 8 - 2
    assert {path: path.stat().st_mtime_ns for path in finished} == before


CHANGES = {
    "fast": {"training.learning_rate": 0.05},
    "deep": {"model.tower_units": [8, 8], "training.learning_rate": 0.01},
}


@pytest.mark.slow
def test_what_is_special_takes_over_what_was_tuned(start, stub, tmp_path):
    """So that nothing else is different; but for what a change itself sets."""
    start(architectures=["mmoe*+fast"], changes=CHANGES, trials=3)
    chosen = {
        name: json.loads((tmp_path / "out" / "models" / file).read_text())
        for name, file in (
            ("mmoe", "mmoe.json"),
            ("mmoe*+fast", "mmoe-star+fast.json"),
        )
    }
    tuned = chosen["mmoe"]["parameters"]
    del tuned["training.learning_rate"]
    assert chosen["mmoe*+fast"]["parameters"] == tuned
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    # MMoE itself was tuned, and not trained.
    assert list(summary["architectures"]) == ["home", "mmoe*+fast"]


def test_a_change_is_one_to_the_configuration(start, stub, tmp_path):
    start(architectures=["home+*", "mmoe+fast+deep"], changes=CHANGES, seeds=1)
    plan = Plan.load(tmp_path / "out")
    names = ["home", "home+fast", "home+deep", "mmoe+fast+deep"]
    found = compared_models(["home+*", "mmoe+fast+deep"], CHANGES)
    assert [one.name for one in found] == names
    rates = [plan.config_of(one).training.learning_rate for one in found]
    assert rates == [plan.config.training.learning_rate, 0.05, 0.01, 0.01]
    units = [list(plan.config_of(one).model.tower_units) for one in found]
    assert units == [list(plan.config.model.tower_units)] * 2 + [[8, 8], [8, 8]]
    assert plan.config_of(found[-1]).model.architecture.type == "mmoe"


@pytest.mark.slow
def test_changes_are_compared_with_what_they_change(start, stub, tmp_path):
    start(architectures=["home+*", "mmoe", "mmoe+fast"], changes=CHANGES)
    table = (tmp_path / "out" / "table.md").read_text()
    section = table[table.index("## Changes to the conf") :].split("\n## ")[0]
    rows = [line.split(" | ")[0] for line in section.splitlines() if "+0.0000" in line]
    assert rows == ["| home+fast", "| home+deep", "| mmoe+fast"]
    assert "`fast`: `training.learning_rate: 0.05`" in section
    # A changed baseline is not the best one, which the tables compare with.
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["best_baseline"] == "mmoe"


@pytest.mark.slow
def test_changes_may_be_added_and_stay_what_they_are(start, stub, tmp_path):
    start(architectures=["home+fast"], changes={"fast": CHANGES["fast"]}, seeds=1)
    start(architectures=["home+deep"], changes={"deep": CHANGES["deep"]}, seeds=1)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert list(summary["architectures"]) == ["home", "home+deep", "home+fast"]
    table = (tmp_path / "out" / "table.md").read_text()
    assert "- `fast`: " in table
    assert "- `deep`: " in table
    assert list(Plan.load(tmp_path / "out").changes) == ["fast", "deep"]
    with pytest.raises(HomeError, match=r"it differs in the change 'fast'\. "):
        start(changes={"fast": {"training.epochs": 9}}, seeds=1)


@pytest.mark.parametrize(
    ("names", "changes", "message"),
    [
        (
            ["home+slow"],
            CHANGES,
            r"unknown change. Received: 'slow' in 'home\+slow'. K",
        ),
        (["home+fast"], {}, r"Known: none; `--changes` names a file"),
        (["home+*"], {}, r"all changes with 'home\+\*', but there are none"),
        ([], {"a+b": {"training.epochs": 3}}, r"must consist of letters.*: 'a\+b'"),
        ([], {"a": 3}, r"'a' must be a mapping of dotted keys.*Received: 3"),
        ([], {"a": {}}, r"'a' must be a mapping"),
        ([], {"a": {3: 4}}, r"'a' must be a mapping of dotted keys"),
        ([], {"a": {"tasks.x.group": "b"}}, r"'a' sets `tasks.x.group`. A change may"),
        ([], {"a": {"training.rate": 1}}, r"the change 'a': .*`training.rate`"),
        (
            [],
            {"a": {"features.*_ratio.transform": "log1p"}},
            r"the change 'a': .*nothing there matches `\*_ratio`\. Available: user_id",
        ),
    ],
)
def test_changes_that_are_none_are_told(start, tmp_path, names, changes, message):
    with pytest.raises(HomeError, match=message):
        start(architectures=names, changes=changes)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a+b: {training.epochs: 3}", r"must consist of letters.*: 'a\+b'"),
        ("- fast", r"changes.yaml: "),
        ("{", r"changes.yaml, line 1: "),
        (None, r"changes.yaml: no such"),
    ],
)
def test_a_file_of_changes_that_is_none_is_told(write_config, tmp_path, text, message):
    file = tmp_path / "changes.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(HomeError, match=message):
        compare_command(write_config(), tmp_path / "out", changes=file)


@pytest.mark.slow
def test_a_failed_training_does_not_stop_the_others(start, stub, tmp_path, monkeypatch):
    usual = Training.save

    def full_disk(self, *arguments, **options):
        if (self.model, self.fold, self.seed) == (MASK, 1, 0):
            raise OSError("no space\nleft")
        return usual(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "save", full_disk)
        missing = start()
    assert [str(training) for training in missing] == ["home-mask, fold 1, seed 0"]
    out = tmp_path / "out"
    line = "- home-mask, fold 1, seed 0: OSError: no space left"
    assert line in (out / "table.md").read_text().splitlines()
    summary = json.loads((out / "summary.json").read_text())
    found = summary["architectures"]["home-mask"]
    assert (found["trainings"], len(found["missing"])) == (3, 1)
    StubTrainer.fits = []
    assert start() == []
    assert StubTrainer.fits == [0]
    assert "Missing trainings" not in (out / "table.md").read_text()


def test_a_process_that_dies_costs_its_training_only(
    start, stub, tmp_path, monkeypatch
):
    """As when the kernel ends a process that takes too much memory."""
    done = []

    def run_and_die(jobs, *, at_once, on_end):
        waiting = list(jobs)
        while waiting:
            job = waiting.pop(0)
            done.append((job.model.name, job.fold, job.seeds))
            reason = None
            if job.model == MASK and job.fold == 1 and 0 in job.seeds:
                reason = "the process was ended by signal 9"
            else:
                worker.main(job.to_json())
            waiting += on_end(job, reason)

    monkeypatch.setattr(MODULE, "run_jobs", run_and_die)
    missing = start()
    assert [str(training) for training in missing] == ["home-mask, fold 1, seed 0"]
    assert done[-1] == ("home-mask", 1, (1,))
    assert "signal 9" in missing[0].error_file.read_text()


def test_a_model_that_cannot_be_tuned_costs_its_trainings_only(
    start, stub, tmp_path, monkeypatch
):
    def run_and_die(jobs, *, at_once, on_end):
        for job in jobs:
            if job.model == MASK:
                assert job.fold is None
                assert on_end(job, "no memory") == []
            else:
                worker.main(job.to_json())

    monkeypatch.setattr(MODULE, "run_jobs", run_and_die)
    missing = start()
    assert {str(training) for training in missing} == {
        f"home-mask, fold {fold}, seed {seed}" for fold in (0, 1) for seed in (0, 1)
    }
    table = (tmp_path / "out" / "table.md").read_text()
    assert "| home | 0." in table
    assert "- home-mask, fold 1, seed 1: no memory" in table


@pytest.mark.slow
def test_the_tables_count_the_trainings_with_an_anomaly(
    start, stub, tmp_path, monkeypatch
):
    def measure_experts(self, split):
        """With seed 1 a quarter of an expert is dead."""
        dead = 0.25 if StubTrainer.fits[-1] == 1 else 0.0
        expert = {"owner": "shared", "dead_dimensions": dead, "similarity": None}
        experts = {"shared/0": expert}
        nothing = ("gates", "self_gates", "feature_gates", "use", "tasks")
        return {"experts": experts, **{kind: {} for kind in nothing}}

    monkeypatch.setattr(StubTrainer, "measure_experts", measure_experts)
    assert start(seeds=3) == []
    out = tmp_path / "out"
    table = (out / "table.md").read_text()
    assert "| architecture | collapse |\n| --- | ---: |\n| home | 2 of 6 |" in table
    summary = json.loads((out / "summary.json").read_text())
    collapse = {"collapse": {"found": 2, "trainings": 6}}
    assert summary["architectures"]["home-mask"]["verdicts"] == collapse
    (file,) = out.glob("trainings/home/fold-1/seed-1/experts.json")
    verdicts = json.loads(file.read_text())["verdicts"]
    (case,) = verdicts[0]["cases"]
    assert (case["subject"], case["value"]) == ("shared/0", 0.25)


@pytest.mark.slow
def test_without_experts_there_are_no_anomalies(start, stub, tmp_path):
    start()
    assert "There are no experts." in (tmp_path / "out" / "table.md").read_text()


def test_another_comparison_is_not_mixed_into_a_folder(start, stub, tmp_path):
    start()
    with pytest.raises(
        HomeError, match=r"contains a different comparison; .* in trials\. "
    ):
        start(trials=3)
    with pytest.raises(
        HomeError, match=r"contains a different comparison; .* in budget\. "
    ):
        start(budget="paper")


@pytest.mark.slow
def test_networks_that_a_single_feature_beats_are_not_compared(
    start, stub, tmp_path, monkeypatch
):
    start()
    table = (tmp_path / "out" / "table.md").read_text()
    assert "Too short to compare" not in table
    assert "minus home" in table
    monkeypatch.setattr(StubTrainers, "single_feature", 0.9)
    shutil.rmtree(tmp_path / "out")
    start()
    table = (tmp_path / "out" / "table.md").read_text()
    assert "**Too short to compare.** home, home-mask: the mean AUC is not abo" in table
    assert "minus" not in table
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["too_short_to_compare"] == ["home", "home-mask"]
    for row in summary["architectures"].values():
        found = row["auc"]["means"]["mean"]["value"] - 0.9
        assert row["lead_over_single_feature"] == pytest.approx(found, abs=1e-6)


def test_a_comparison_is_one_process_work_at_a_time(start, stub, tmp_path):
    start()
    with (
        locked(tmp_path / "out" / ".lock", ""),
        pytest.raises(HomeError, match=r"is being run by another process"),
    ):
        start(seeds=3)


def test_a_killed_plan_leaves_a_folder_to_start_in(start, stub, tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    monkeypatch.setattr("home_tf.lab.comparison.plan.write_json", kill)
    with pytest.raises(Killed):
        start()
    monkeypatch.undo()
    assert not (tmp_path / "out").exists()


def test_a_worker_ends_with_the_comparison(tmp_path):
    """Its standard input ends when the process that holds the other end does."""
    start = Path(worker.__file__).with_name("start_worker.py")
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, *sys.argv[1:]],"
        " stdin=subprocess.PIPE)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)"
    )
    # A job that waits: a pipe that nobody writes to, in the place of the plan.
    os.mkfifo(tmp_path / "plan.json")
    job = Job(tmp_path, HOME, threads=1).to_json()
    package = str(Path(home_tf.__file__).parents[1])
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(start), package, job],
        stdout=subprocess.PIPE,
        text=True,
    )
    child = int(parent.stdout.readline())
    try:
        time.sleep(1)
        os.kill(child, 0)  # it runs
        parent.kill()
        parent.wait()
        deadline = time.monotonic() + 60
        while _runs(child) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not _runs(child)
    finally:
        if _runs(child):
            os.kill(child, signal.SIGKILL)
        parent.stdout.close()


def _runs(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"


def test_a_plan_of_another_version_is_told(start, stub, tmp_path):
    start()
    file = tmp_path / "out" / "plan.json"
    plan = json.loads(file.read_text())
    del plan["tuning_seeds"]
    file.write_text(json.dumps(plan))
    with pytest.raises(HomeError, match=r"another version .* differs in tuning_seeds"):
        start()


def test_a_folder_of_something_else_is_left_alone(start, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(
        HomeError, match=r"is not empty and does not contain a comparison"
    ):
        start()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    "name", ["seeds", "folds", "tuning_seeds", "jobs", "replicates"]
)
def test_numbers_out_of_their_range(start, name):
    with pytest.raises(HomeError, match=rf"`{name}` must be at least 1. Received: 0"):
        start(**{name: 0})


@pytest.mark.slow
def test_tuning_and_sizing_read_no_test_split(start_comparison, tmp_path):
    """The records of the test days are gone: choosing does not miss them."""
    out = tmp_path / "comparison"
    plan = start_comparison(out, trials=2, training__epochs=1)
    fold = plan.make_folds(out)[0]
    for file in fold.folder.glob("test-*"):
        file.unlink()
    for model in (HOME, LIGHTGBM):
        worker.choose(out, model)
        assert choice_file(out, model).is_file()
    with pytest.raises(HomeError, match=r"test-00000.*the file is missing"):
        worker.train_model(out, LIGHTGBM, 0, seeds=[0])


@pytest.mark.slow
def test_jobs_run_in_processes_of_their_own_and_say_why_they_fail(
    tmp_path, monkeypatch
):
    """There is no plan in the folder, which the workers find out.

    They run this version of the package, and not what the current folder has.
    """
    (tmp_path / "home_tf").mkdir()
    (tmp_path / "home_tf" / "__init__.py").write_text("raise ImportError('another')")
    monkeypatch.chdir(tmp_path)
    ended = []

    def on_end(job, reason):
        ended.append((job.model, reason))
        return []

    run_jobs([Job(tmp_path, HOME, threads=1)], at_once=1, on_end=on_end)
    ((model, reason),) = ended
    assert model == HOME
    assert "does not contain a comparison (no plan.json)" in reason


def test_an_undefined_metric_is_none_and_empty_never_a_half(
    start, stub, tmp_path, monkeypatch
):
    monkeypatch.setattr(StubTrainers, "likes", 0.0)
    start()
    out = tmp_path / "out"
    summary = json.loads((out / "summary.json").read_text())
    for row in summary["architectures"].values():
        assert set(row["auc"]["means"]["is_like"].values()) == {None}
        assert row["auc"]["means"]["mean"]["value"] is not None
    with (out / "trainings.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["task"] == "is_like"]
    assert {(row["auc"], row["gauc"]) for row in rows} == {("", "")}
    assert "| is_like | - | - |" in (out / "table.md").read_text()


@pytest.fixture(scope="module")
def finished(write_config, logs, tmp_path_factory):
    """A small comparison by the command line, in processes of its own."""
    out = tmp_path_factory.mktemp("finished") / "out"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-m", "home_tf", "compare", "--config",
         str(write_config()), "--source", str(logs), "--out", str(out),
         "--architectures", "lightgbm", "--seeds", "2", "--folds", "1",
         "--trials", "1", "--jobs", "2"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "home, fold 0, seed 1: mean AUC" in done.stdout
    return out


@pytest.mark.slow
def test_the_values_are_those_of_scikit_learn(finished):
    with (finished / "trainings.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["architecture"] for row in rows] == ["home"] * 6 + ["lightgbm"] * 6
    row = next(r for r in rows if r["seed"] == "1" and r["task"] == "is_click")
    with np.load(Training(HOME, 0, 1, finished).folder / "predictions.npz") as arrays:
        labels, scores = arrays["label:is_click"], arrays["probability:is_click"]
    assert float(row["auc"]) == pytest.approx(roc_auc_score(labels, scores), abs=1e-5)
    assert float(row["auc"]) > 0.55
    assert int(row["params"]) > 500
    assert float(row["examples_per_second"]) > 0


@pytest.mark.slow
def test_the_summary_agrees_with_the_trainings(finished):
    summary = json.loads((finished / "summary.json").read_text())
    with (finished / "trainings.csv").open() as file:
        rows = list(csv.DictReader(file))
    means = {}
    for name in ("home", "lightgbm"):
        values = [float(r["gauc"]) for r in rows if r["architecture"] == name]
        found = summary["architectures"][name]["gauc"]["means"]["mean"]
        assert found["value"] == pytest.approx(np.mean(values), abs=1e-6)
        assert found["interval"][0] < found["value"] < found["interval"][1]
        means[name] = found["value"]
        # The small configuration monitors all of its tasks.
        assert (
            summary["architectures"][name]["gauc"]["means"]["monitored_mean"] == found
        )
    difference = summary["architectures"]["lightgbm"]["gauc"]["difference_to_home"]
    expected = means["lightgbm"] - means["home"]
    assert difference["mean"]["value"] == pytest.approx(expected, abs=1e-6)
    assert summary["architectures"]["home"]["gauc"]["difference_to_home"] is None
    assert summary["architectures"]["home"]["flops"] > 1000
    assert sum(summary["architectures"]["home"]["best_epochs"].values()) == 2
    assert summary["architectures"]["lightgbm"]["best_epochs"] == {}


def _mean_gauc(folder, *, replicates):
    with np.load(folder / "predictions.npz") as arrays:
        values = [
            bootstrap_values(
                np.where(arrays[f"label:{task}"] < 0, np.nan, arrays[f"label:{task}"]),
                arrays[f"probability:{task}"],
                arrays["groups"],
                replicates=replicates,
            )["gauc"]
            for task in TASKS
        ]
    return np.mean(values, axis=0)


@pytest.mark.slow
def test_the_interval_of_a_difference_is_over_common_users(finished):
    """From the predictions on: the same users are drawn for both models."""
    drawn = {
        model: np.mean(
            [
                _mean_gauc(Training(model, 0, seed, finished).folder, replicates=1000)
                for seed in (0, 1)
            ],
            axis=0,
        )
        for model in (HOME, LIGHTGBM)
    }
    summary = json.loads((finished / "summary.json").read_text())
    found = summary["architectures"]["lightgbm"]["gauc"]["difference_to_home"]["mean"]
    expected = np.quantile(drawn[LIGHTGBM] - drawn[HOME], [0.025, 0.975])
    assert found["interval"] == pytest.approx(expected, abs=1e-6)
    apart = np.quantile(drawn[LIGHTGBM], 0.975) - np.quantile(drawn[HOME], 0.025)
    assert expected[1] - expected[0] < apart  # as it is when users are paired


@pytest.mark.slow
def test_the_table_and_the_plots_are_there(finished):
    table = (finished / "table.md").read_text()
    for text in ("| home | 0.", "| lightgbm | 0.", "2 of 2", "## GAUC of each task"):
        assert text in table
    for name in ("gains", "differences", "quality", "learning_curves"):
        assert (finished / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_quick_generates_logs_and_does_little(write_config, tmp_path, monkeypatch):
    called = []
    monkeypatch.setattr(
        "home_tf.lab.comparison.compare",
        lambda config, data, out, **options: called.append((config, data, options)),
    )
    config, out = write_config(), tmp_path / "out"
    compare_command(config, out, quick=True)
    compare_command(config, out, quick=True, seeds=2)
    compare_command(config, out, tmp_path)
    numbers = [[o[k] for k in ("seeds", "folds", "trials")] for *_, o in called]
    assert numbers == [[1, 1, 0], [2, 1, 0], [5, None, 8]]
    quick, logs, _ = called[0]
    assert (quick.training.epochs, quick.training.batch_size) == (4, 128)
    assert list(logs.glob("log_standard*"))
    # The logs are there already; they are not made twice.
    assert called[1][1] == logs
    assert called[2][1] == tmp_path


def test_the_files_of_the_configuration_are_compared_on(write_config, tmp_path):
    """With --quick, too: nothing is generated for a user's own configuration."""
    replaced = {"log: log_standard*.csv*": "folder: mine\n  log: [rows.csv]"}
    file = write_config(replace=replaced)
    config = load_config(file)
    with pytest.raises(HomeError, match=r"no file matches rows.csv in .*mine. Set"):
        find_source(file, config, None, generate=lambda: tmp_path)
    (file.parent / "mine").mkdir()
    (file.parent / "mine" / "rows.csv").touch()
    assert find_source(file, config, None) == file.parent / "mine"
    assert find_source(file, config, tmp_path) == tmp_path


def test_the_command_line_checks_before_it_writes(write_config, logs, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(HomeError, match=r"`architectures` contains an unknown name"):
        compare_command(write_config(), out, logs, architectures="home,hoem")
    with pytest.raises(HomeError, match=r"no file matches log_standard.*`--source`"):
        compare_command(write_config(), out)
    with pytest.raises(HomeError, match=r"no file matches log_standard"):
        compare_command(write_config(), out, Path(__file__).parent)
    assert not out.exists()


def test_a_plan_survives_its_file(start_comparison, tmp_path):
    plan = start_comparison(tmp_path / "out")
    assert Plan.load(tmp_path / "out") == plan
