"""Numbers that are none, in every numeric column of the demo's export."""

import json

import numpy as np
import pytest
import tensorflow as tf
from support.kuairand import kuairand_config

from home_tf.backend import IS_LEGACY
from home_tf.config import override_config
from home_tf.export import ServingModel
from home_tf.features import NumericFeature
from home_tf.training import Experiment

# Of the features, weights do not matter here: an untrained network will do.
SMALL = {
    "model.architecture": {
        "type": "shared_bottom",
        "expert": {"units": [8], "activation": "swish"},
    },
    "training.framework": "tfrs" if IS_LEGACY else "keras",
}
NULLABLE = ("video_age_days", "duration_ms", "user_long_view_rate")


@pytest.fixture(scope="module")
def served(prepared, tmp_path_factory):
    """The signatures of an export, as loaded, 4 rows to ask it, the statistics.

    And what the network itself answers.
    """
    nullable = {f"features.{name}.nullable": True for name in NULLABLE}
    config = override_config(kuairand_config(length=5), {**SMALL, **nullable})
    experiment = Experiment.open(config, prepared)
    network = experiment.make_network()
    model = ServingModel(
        experiment.preprocessor, network, list(config.tasks), config.request_columns
    )
    folder = str(tmp_path_factory.mktemp("served") / "1")
    tf.saved_model.save(model, folder, signatures=model.signatures())
    columns = experiment.preprocessor.columns
    rows = next(iter(experiment.data.read("test", batch_size=4, columns=columns)))
    rows = {
        name: tf.cast(values, tf.int64) if values.dtype == tf.int32 else values
        for name, values in rows.items()
    }
    loaded = tf.saved_model.load(folder)
    statistics = json.loads((prepared / "statistics.json").read_text())

    def answer(rows):
        logits = network(experiment.preprocessor(rows), training=False)
        names = sorted(loaded.signatures["predict"].structured_outputs)
        return np.stack([1 / (1 + np.exp(-np.ravel(logits[name]))) for name in names])

    return loaded, rows, config.request_columns, statistics, answer


def numeric_columns():
    config = kuairand_config()
    return [
        feature.column or name
        for name, feature in config.features.items()
        if isinstance(feature, NumericFeature)
    ]


def ask(served, signature="predict", **changes):
    """What an export answers when a column of row 1 has another number."""
    loaded, rows, of_request, *_ = served
    inputs = dict(rows)
    for name, number in changes.items():
        inputs[name] = tf.tensor_scatter_nd_update(rows[name], [[1]], [number])
    if signature == "rank":
        # Row 1 as the request, whose candidates are all rows.
        inputs = {n: x[1:2] if n in of_request else x for n, x in inputs.items()}
    found = loaded.signatures[signature](**inputs)
    return np.stack([found[name].numpy() for name in sorted(found)])


def test_there_are_numeric_columns():
    assert len(numeric_columns()) == 21


@pytest.mark.parametrize("signature", ["predict", "rank"])
@pytest.mark.parametrize("column", numeric_columns())
def test_a_number_that_is_none_is_an_error_that_names_the_column(
    served, column, signature
):
    numbers = [np.inf, -np.inf] + [np.nan] * (column not in NULLABLE)
    for number in numbers:
        message = f"column `{column}` of the features must hold finite numbers"
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            ask(served, signature, **{column: number})


@pytest.mark.parametrize("column", numeric_columns())
def test_a_number_beyond_those_of_training_counts_as_the_nearest_of_them(
    served, column
):
    low, *_, high = served[3][column]["quantiles"]
    for beyond, nearest in ((1e30, high), (-1e30, low)):
        np.testing.assert_array_equal(
            ask(served, **{column: beyond}), ask(served, **{column: nearest})
        )


@pytest.mark.parametrize("column", NULLABLE)
def test_a_missing_number_has_its_indicator_as_in_training(served, column):
    _, rows, _, statistics, answer = served
    found = ask(served, **{column: np.nan})
    changed = tf.tensor_scatter_nd_update(rows[column], [[1]], [np.nan])
    np.testing.assert_allclose(found, answer({**rows, column: changed}), atol=1e-6)
    # It is no number, not even the mean.
    mean = ask(served, **{column: statistics[column]["mean"]})
    np.testing.assert_array_equal(found[:, [0, 2, 3]], mean[:, [0, 2, 3]])
    assert np.abs(found[:, 1] - mean[:, 1]).max() > 1e-5
