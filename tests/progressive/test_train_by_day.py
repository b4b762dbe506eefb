"""Each day of a log tests the model before it trains it."""

import csv
import io

import pytest
from matplotlib.image import imread
from support.small_config import SMALL_CONFIG

from home_tf.backend import IS_LEGACY
from home_tf.config import load_config, override_config
from home_tf.errors import HomeError
from home_tf.lab.synthetic import generate
from home_tf.prepare import prepare
from home_tf.progressive import train_by_day
from home_tf.progressive.results import Day, write_results
from home_tf.run import Run
from home_tf.training import evaluate_run, train

DAYS = [20220425, 20220426, 20220427, 20220428]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A log of four days, and its configuration."""
    folder = tmp_path_factory.mktemp("by-day")
    generate(folder / "logs", users=200, videos=100, days=4, rows=3000)
    (folder / "config.yaml").write_text(SMALL_CONFIG)
    framework = "tfrs" if IS_LEGACY else "keras"
    return folder / "logs", load_config(
        folder / "config.yaml", {"training.framework": framework}
    )


def read(folder):
    return list(csv.DictReader(io.StringIO((folder / "days.csv").read_text())))


def by_hand(log, config, folder, first, day, before=None):
    """Trains on the days from `first` to the one before `day`, which is measured."""
    split = {"by": "days", "first": first, "validation": day, "test": "none"}
    config = override_config(config, {"data.split": split, "training.epochs": 1})
    prepare(log, config, folder / f"{day}-records")
    run = folder / f"{day}-run"
    trained = train(config, folder / f"{day}-records", run, start_from=before)
    return run, evaluate_run(trained, splits=["validation"])["validation"]


def test_each_day_is_measured_by_a_model_of_the_days_before(log, tmp_path):
    logs, config = log
    said = []

    def interrupt(line):
        said.append(line)
        if len(said) == 1:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        train_by_day(config, logs, out, start_days=2, say=interrupt)
    assert len(read(out)) == 4
    found = train_by_day(config, logs, out, start_days=2, say=said.append)
    assert [day.day for day in found] == DAYS[2:]
    assert [line[:8] for line in said] == ["20220427", "20220428"]
    # The same by the commands, one after the other.
    first, before = by_hand(logs, config, tmp_path, DAYS[0], DAYS[2])
    _, after = by_hand(logs, config, tmp_path, DAYS[2], DAYS[3], first)
    rows = read(out)
    for day, metrics in zip(DAYS[2:], (before, after), strict=True):
        of_day = {row["task"]: row for row in rows if row["day"] == str(day)}
        assert list(of_day) == ["long_view", "is_click", "is_like", "mean"]
        for name in ("auc", "gauc"):
            for task, value in metrics[name].items():
                assert float(of_day[task][name]) == pytest.approx(value, abs=1e-5)
            mean = metrics[f"mean_{name}"]
            assert float(of_day["mean"][name]) == pytest.approx(mean, abs=1e-5)
        for task, number in metrics["positives"].items():
            assert int(of_day[task]["positives"]) == number
    assert imread(out / "days.png").ndim == 3
    # The last run is kept, to begin the next day with.
    (last,) = (out / "days").iterdir()
    assert last.name == str(DAYS[3])
    assert Run(last / "run").find_best().is_dir()


def test_what_cannot_be_done_is_refused(log, tmp_path):
    logs, config = log
    with pytest.raises(HomeError, match="must have more than 4 days"):
        train_by_day(config, logs, tmp_path / "out", start_days=4)
    assert not (tmp_path / "out").exists()
    (tmp_path / "mine").write_text("")
    with pytest.raises(HomeError, match="is not empty and does not contain a progr"):
        train_by_day(config, logs, tmp_path)


def test_a_first_day_that_fails_leaves_the_settings_open(log, tmp_path):
    logs, config = log
    rare = override_config(config, {"data.columns.is_like": "0"})
    with pytest.raises(HomeError, match="no positive label"):
        train_by_day(rare, logs, tmp_path / "out")
    again = override_config(rare, {"data.columns.is_like": "rand"})
    with pytest.raises(HomeError, match=r"`data\.columns"):
        train_by_day(again, logs, tmp_path / "out", start_days=2)


def test_a_day_of_numbers_is_shown(tmp_path):
    metrics = {
        "auc": {"is_click": 0.7, "watch_time": 0.6},
        "examples": {"is_click": 90, "watch_time": 80},
        "positives": {"is_click": 30, "watch_time": None},
    }
    day = Day.of(20220427, metrics, None)
    write_results(tmp_path, [day, Day.of(20220428, metrics, ["is_click"])])
    rows = read(tmp_path)
    assert [row["task"] for row in rows[:3]] == ["is_click", "watch_time", "mean"]
    assert rows[1]["positives"] == ""
    assert float(rows[2]["auc"]) == pytest.approx(0.65)
    assert float(rows[5]["auc"]) == pytest.approx(0.7)
    assert day.describe() == "20220427  AUC 0.6500  (90 rows)"
    assert imread(tmp_path / "days.png").ndim == 3
