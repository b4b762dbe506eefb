"""Runs that begin with the weights of an earlier one, on other days."""

import csv
import io
import json
import shutil
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf

from home_tf.backend import IS_LEGACY
from home_tf.config import load_config, override_config
from home_tf.data import DatasetDirectory
from home_tf.errors import HomeError
from home_tf.prepare import prepare
from home_tf.training import Experiment, evaluate_run, train

FRAMEWORK = "tfrs" if IS_LEGACY else "keras"
DAYS = {
    "before": {"by": "days", "validation": 20220427, "test": "none"},
    "after": {"by": "days", "first": 20220427, "validation": 20220430, "test": "none"},
}
TABLES = {"user_id": (2, 2), "video_id": (1, 3)}  # min_count, rows before the ids


@pytest.fixture(scope="module")
def days(logs, tmp_path_factory):
    """Records of some days and of later ones, their configuration, and a run."""
    from support.small_config import SMALL_CONFIG

    folder = tmp_path_factory.mktemp("start-from")
    (folder / "config.yaml").write_text(SMALL_CONFIG)

    def load(when="before", **overrides):
        given = {f"training.{key}": value for key, value in overrides.items()}
        return load_config(
            folder / "config.yaml",
            {
                "training.framework": FRAMEWORK,
                "training.epochs": 1,
                "data.split": DAYS[when],
                **given,
            },
        )

    for when in DAYS:
        prepare(logs, load(when), folder / when, shards=2)
    run = train(load(), folder / "before", folder / "run")
    return folder, load, run


@pytest.fixture(scope="module")
def still(days):
    """A run that begins with it, and learns nothing."""
    folder, load, run = days
    config = load("after", learning_rate=1e-12)
    return train(config, folder / "after", folder / "still", start_from=run.folder)


def read_vocabulary(folder, column):
    text = (folder / "vocabularies" / f"{column}.csv").read_text()
    return {r["value"]: int(r["count"]) for r in csv.DictReader(io.StringIO(text))}


def network_of(run):
    experiment = Experiment.open(run.load_config(), run.open_data())
    return experiment.load_network(run.find_best())


def variable(run, name):
    return tf.train.load_checkpoint(str(run.checkpoints / "best")).get_tensor(name)


@pytest.mark.parametrize("column", TABLES)
def test_known_ids_keep_their_embeddings_and_new_ids_get_new_rows(days, still, column):
    folder, _, run = days
    least, first = TABLES[column]
    before = read_vocabulary(folder / "before", column)
    after = read_vocabulary(folder / "after", column)
    grown = read_vocabulary(still.counts, column)
    assert grown == Counter(before) + Counter(after)
    known = [value for value, count in before.items() if count >= least]
    ids = [value for value, count in grown.items() if count >= least]
    assert ids[: len(known)] == known
    assert list(grown)[: len(ids)] == ids  # the others are behind them
    new = ids[len(known) :]
    assert new
    assert any(value in before for value in new) or least == 1
    old_table, table = (np.array(network_of(one).features.rows_of(column))
                        for one in (run, still))  # fmt: skip
    assert len(table) == first + len(ids)
    np.testing.assert_allclose(table[: len(old_table)], old_table, atol=1e-6)
    # Fresh: Keras draws them from -0.05 to 0.05.
    fresh = table[len(old_table) :]
    assert np.abs(fresh).max() <= 0.05
    assert fresh.std() > 0.01


def test_the_network_predicts_as_before(days, still):
    """And so does what is evaluated: known ids, numbers and history are read alike."""
    folder, _, run = days
    rows = next(iter(DatasetDirectory(folder / "after").read("train", batch_size=512)))
    known = read_vocabulary(folder / "before", "video_id")
    liked = rows["user_liked_videos"].numpy()
    watched = rows["user_watched_videos"].numpy()
    everywhere = np.column_stack([rows["video_id"].numpy(), liked, watched])
    ids = np.array([int(value) for value in known])
    users = [int(v) for v, n in read_vocabulary(folder / "before", "user_id").items()
             if n >= 2]  # fmt: skip
    of_known = np.isin(everywhere, [*ids, -1]).all(axis=1)
    of_known &= np.isin(rows["user_id"].numpy(), users)
    assert of_known.sum() > 20
    found = []
    for one in (run, still):
        experiment = Experiment.open(one.load_config(), one.open_data())
        logits = network_of(one)(experiment.preprocessor(rows), training=False)
        found.append({task: x.numpy()[of_known] for task, x in logits.items()})
    for task, values in found[0].items():
        # Only the moving statistics of BatchNorm have followed the new rows.
        assert np.corrcoef(found[1][task].ravel(), values.ravel())[0, 1] > 0.95


def test_the_optimizer_goes_on(days, still):
    folder, load, run = days
    steps = [
        Experiment.open(load(when), folder / when).steps_per_epoch for when in DAYS
    ]
    names = tf.train.load_checkpoint(str(run.checkpoints / "best"))
    (iteration,) = (n for n in names.get_variable_to_shape_map() if "iteration" in n)
    assert variable(run, iteration) == steps[0]
    assert variable(still, iteration) == sum(steps)


@pytest.mark.slow
def test_statistics_are_those_of_the_earlier_run_unless_asked(days, still):
    folder, load, run = days
    before, after = (
        json.loads((folder / when / "statistics.json").read_text()) for when in DAYS
    )
    kept = json.loads((still.counts / "statistics.json").read_text())
    assert kept == before
    assert before["video_impressions"] != after["video_impressions"]
    renewed = train(
        load("after"),
        folder / "after",
        folder / "renewed",
        start_from=run.folder,
        new_statistics=True,
    )
    found = json.loads((renewed.counts / "statistics.json").read_text())
    for column in after:
        # Those of labels stay: the towers have learnt by them.
        kept = before if column in ("long_view", "is_click", "is_like") else after
        assert found[column]["mean"] == kept[column]["mean"]
        assert found[column]["variance"] == kept[column]["variance"]
        assert found[column].get("quantiles") == before[column].get("quantiles")
    assert found["video_impressions"]["mean"] == after["video_impressions"]["mean"]


@pytest.mark.slow
def test_what_begins_so_resumes_and_is_measured(days, tmp_path):
    folder, load, run = days
    whole = train(load("after", epochs=2), folder / "after", tmp_path / "whole",
                  start_from=run.folder)  # fmt: skip
    for epochs in (1, 2):
        parts = train(load("after", epochs=epochs), folder / "after",
                      tmp_path / "parts", start_from=run.folder)  # fmt: skip
    one, other = (np.array(network_of(r).features.rows_of("user_id"))
                  for r in (whole, parts))  # fmt: skip
    np.testing.assert_allclose(other, one, atol=1e-6)
    metrics = [evaluate_run(r, splits=["validation"])["validation"]["auc"]
               for r in (whole, parts)]  # fmt: skip
    assert metrics[0] == pytest.approx(metrics[1], abs=1e-6)
    # A third run goes on from there.
    third = train(load("after"), folder / "after", tmp_path / "third",
                  start_from=parts.folder)  # fmt: skip
    counts = [read_vocabulary(r.counts, "user_id") for r in (parts, third)]
    least = TABLES["user_id"][0]
    known = [value for value, count in counts[0].items() if count >= least]
    assert list(counts[1])[: len(known)] == known
    # And no other, nor none.
    with pytest.raises(HomeError, match=r"started from the weights of .*parts"):
        train(load("after"), folder / "after", third.folder)
    with pytest.raises(HomeError, match=r"started from the weights of .*parts"):
        train(load("after"), folder / "after", third.folder, start_from=run.folder)


def test_what_does_not_fit_is_refused(days, tmp_path):
    folder, load, run = days

    def refuse(match, config, **given):
        with pytest.raises(HomeError, match=match):
            train(config, folder / "after", tmp_path / "new", **given)

    begun = {"start_from": run.folder}
    decayed = load("after", learning_rate_decay="cosine")
    refuse("`training.learning_rate_decay` must be none", decayed, **begun)
    reset = load("after", reset_embeddings=True, epochs=2)
    refuse("would forget the embeddings", reset, **begun)
    refuse("does not contain a run", load("after"), start_from=tmp_path)
    refuse("`new_statistics` requires", load("after"), new_statistics=True)
    other = load_config(
        folder / "config.yaml",
        {"model.tower_units": [4], "training.framework": FRAMEWORK},
    )
    refuse(r"its weights do not fit.*model\.tower_units", other, **begun)
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_new_statistics_leave_the_unit_of_a_number_as_it_is(days, logs, tmp_path):
    """The tower of a regression task has learnt in it."""
    _, load, _ = days
    watch_time = {"group": "watch", "type": "regression", "loss": "log1p"}
    changes = {
        "tasks.watch_time": watch_time,
        "data.columns.watch_time": "play_time_ms / 1000",
    }
    runs = []
    for when in DAYS:
        config = override_config(load(when), changes)
        prepare(logs, config, tmp_path / when, shards=2)
        begun = {"start_from": runs[0].folder, "new_statistics": True} if runs else {}
        runs.append(train(config, tmp_path / when, tmp_path / f"run-{when}", **begun))
    before, after = (
        Experiment.open(one.load_config(), one.open_data()) for one in runs
    )
    assert (
        after.make_losses()["watch_time"].get_config()
        == before.make_losses()["watch_time"].get_config()
    )
    found = [one.data.statistics("video_impressions").mean for one in (before, after)]
    assert found[0] != found[1]


def test_records_without_a_column_are_told(days, tmp_path):
    folder, load, run = days
    shutil.copytree(folder / "after", tmp_path / "records")
    schema = json.loads((tmp_path / "records" / "schema.json").read_text())
    del schema["columns"]["author_id"], schema["columns"]["user_id"]
    (tmp_path / "records" / "schema.json").write_text(json.dumps(schema))
    with pytest.raises(HomeError, match="user_id"):
        train(load("after"), tmp_path / "records", tmp_path / "run",
              start_from=run.folder)  # fmt: skip
    assert not (tmp_path / "run").exists()
