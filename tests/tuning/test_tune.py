"""`home-tf tune`: trials in processes of their own, in both Kerases."""

import csv
import io

import numpy as np
import pytest
from matplotlib.image import imread

from home_tf.backend import IS_LEGACY
from home_tf.config import differing_keys, load_config
from home_tf.errors import HomeError
from home_tf.prepare import prepare
from home_tf.run import Run
from home_tf.training import evaluate_run, train
from home_tf.tuning import tune

SPACE = {
    "training.learning_rate": {"low": 1e-3, "high": 3e-2, "log": True},
    "model.architecture.expert.units": {"choices": [[8], [16, 8]]},
}


@pytest.fixture(scope="module")
def records(logs, tmp_path_factory):
    """Records, and a function that loads their configuration."""
    from support.small_config import SMALL_CONFIG

    folder = tmp_path_factory.mktemp("tune")
    (folder / "config.yaml").write_text(SMALL_CONFIG)
    prepare(logs, folder / "config.yaml", folder / "records", shards=2)

    def load(**overrides):
        framework = "tfrs" if IS_LEGACY else "keras"
        given = {"training.framework": framework, "training.epochs": 1, **overrides}
        return load_config(folder / "config.yaml", given)

    return folder / "records", load


def read(folder):
    return list(csv.DictReader(io.StringIO((folder / "trials.csv").read_text())))


def test_the_best_configuration_is_found_and_trains(records, tmp_path):
    data, load = records
    out, said = tmp_path / "tuned", []
    tune(load(), data, out, space=SPACE, trials=1, say=said.append)
    best = tune(load(), data, out, space=SPACE, trials=3, jobs=2, say=said.append)
    assert said[0].startswith("trial 0  0.")
    assert said[1].startswith("best: the configuration itself, 0.")
    assert sorted(line.split()[1] for line in said[2:4]) == ["1", "2"]
    assert len(said) == 5
    rows = read(out)
    assert [row["state"] for row in rows] == ["complete"] * 3
    assert rows[0]["training.learning_rate"] == ""  # the configuration itself
    # The scores are those of the runs, measured independently of the training.
    scores = [float(row["score"]) for row in rows]
    winner = int(np.argmax(scores))
    run = Run(out / "trials" / f"{winner:04}")
    measured = evaluate_run(run, splits=["validation"])["validation"]
    mean = np.nanmean([np.nan if x is None else x for x in measured["auc"].values()])
    assert scores[winner] == pytest.approx(mean, abs=1e-6)
    for number in range(3):
        checkpoints = out / "trials" / f"{number:04}" / "checkpoints"
        assert checkpoints.exists() == (number == winner)
    # What was drawn is in the file that trains, and nothing else differs.
    assert load_config(out / "best.yaml") == best == run.load_config()
    keys = [key for key in SPACE if rows[winner][key]]
    assert set(differing_keys(load(), best)) <= set(keys)
    if keys:
        rate = float(rows[winner]["training.learning_rate"])
        assert best.training.learning_rate == rate
    assert imread(out / "tuning.png").shape[2] in (3, 4)


def test_a_search_of_something_else_is_refused(records, tmp_path):
    data, load = records
    out = tmp_path / "tuned"
    tune(load(), data, out, space=SPACE, trials=1, say=lambda line: None)
    before = read(out)
    other = {"model.dropout": {"low": 0.0, "high": 0.1}}
    for config, space, match in (
        (load(), other, "it differs in the space"),
        (load(**{"training.seed": 1}), SPACE, r"it differs in training\.seed"),
    ):
        with pytest.raises(HomeError, match=match):
            tune(config, data, out, space=space, trials=2)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    with pytest.raises(HomeError, match="is not empty and does not contain a search"):
        tune(load(), data, tmp_path / "mine", space=SPACE, trials=1)
    assert read(out) == before


@pytest.mark.parametrize(
    ("space", "match"),
    [
        ({"training.rate": {"low": 0.1, "high": 1.0}}, "the space: .*training.rate"),
        ({"model.dropout": {"low": 0.0, "high": 2.0}}, "the space: .*model.dropout"),
        ({"features.*_x.width": {"choices": [4, 8]}}, "the space: .*nothing there"),
    ],
)
def test_keys_and_values_that_are_none_are_refused(records, tmp_path, space, match):
    data, load = records
    with pytest.raises(HomeError, match=match):
        tune(load(), data, tmp_path / "tuned", space=space, trials=1)
    assert not (tmp_path / "tuned").exists()


def test_a_configuration_that_cannot_be_trained_leaves_nothing(records, tmp_path):
    data, load = records
    config = load(**{"training.learning_rate": 1e30, "training.clip_norm": None})
    with pytest.raises(HomeError, match="the configuration itself cannot be trained"):
        tune(config, data, tmp_path / "tuned", space=SPACE, trials=2)
    assert not (tmp_path / "tuned").exists()


def test_a_validation_may_stop_a_training(records, tmp_path):
    data, load = records
    scores = []

    def stop(score):
        scores.append(score)
        return len(scores) == 2

    run = train(load(**{"training.epochs": 5}), data, tmp_path, on_validation=stop)
    history = list(csv.DictReader(io.StringIO(run.history_file.read_text())))
    found = [float(row["val_mean_auc"]) for row in history]
    assert found == pytest.approx(scores, abs=1e-6)
    assert len(found) == 2
