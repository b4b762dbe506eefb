"""A flat CSV without users and days, from the file to a served model by commands."""

import csv
import random

import numpy as np
import pytest
import tensorflow as tf
from support.processes import run_python

CONFIG = """
data:
  log: people.csv
  columns: {over_50k: income = '50000+'}
features:
  age: {type: numeric}
  job: {type: categorical, width: 4}
tasks:
  over_50k: {group: money}
model:
  architecture: {expert: {units: [8]}}
training: {framework: keras, epochs: 3, batch_size: 128, learning_rate: 0.01}
"""


@pytest.mark.slow
def test_from_a_csv_file_to_a_served_model(tmp_path):
    chance = random.Random(0)
    with (tmp_path / "people.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["age", "job", "income"])
        for _ in range(4000):
            age, job = chance.randrange(18, 70), chance.choice(["nurse", "judge"])
            rich = age + 20 * (job == "judge") + chance.gauss(0, 10) > 60
            rows.writerow([age, job, "50000+" if rich else "-50000"])
    (tmp_path / "people.yaml").write_text(CONFIG)

    def home_tf(*arguments):
        done = run_python("-m", "home_tf", *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    config = ("--config", "people.yaml")
    assert "rows: train 3,2" in home_tf("prepare", *config, "--out", "records")
    home_tf("describe", "--data", "records")
    home_tf("train", *config, "--data", "records", "--out", "run")
    assert "over_50k" in home_tf("evaluate", "--run", "run")
    home_tf("export", "--run", "run", "--out", "model")
    model = tf.saved_model.load(str(tmp_path / "model" / "1"))
    asked = {"age": tf.constant([25.0, 65.0]), "job": tf.constant(["nurse", "judge"])}
    (poor, rich) = np.ravel(model.signatures["predict"](**asked)["over_50k"])
    assert poor < 0.2 < 0.8 < rich
