"""What the check of an export sees, and what it says of the process that loads it."""

import numpy as np
import pytest
import tensorflow as tf
from support.serving_inputs import serving_inputs

from home_tf.errors import HomeError
from home_tf.export import Requests, check_export
from home_tf.export.load_export import RefusingFinder
from home_tf.export.warmup import read_warmup, write_warmup

ROWS = {
    "user": np.array([0.0, 1.0, 2.0, 3.0], np.float32),
    "price": np.array([0.4, 0.3, 0.2, 0.1], np.float32),
}
SPECS = {name: tf.TensorSpec((None,), tf.float32, name) for name in ROWS}
EXPECTED = {"click": ROWS["user"] + ROWS["price"]}
REQUESTS = Requests(ROWS, EXPECTED, once=["user"])


def same(clicks, **columns):
    return clicks


class Export(tf.Module):
    """The signatures of an export of a model that adds a user to a price."""

    def __init__(self, predict=same, rank=same, examples=same):
        super().__init__()
        self._changes = {"predict": predict, "rank": rank, "examples": examples}

    def _click(self, signature, user, price):
        change = self._changes[signature]
        return {"click": change(user + price, user=user, price=price)}

    @tf.function
    def predict(self, user, price):
        return self._click("predict", user, price)

    @tf.function
    def rank(self, user, price):
        return self._click("rank", user, price)

    @tf.function
    def examples(self, examples):
        parsing = {name: tf.io.FixedLenFeature((), tf.float32) for name in ROWS}
        return self._click("examples", **tf.io.parse_example(examples, parsing))


@pytest.fixture
def save(tmp_path):
    """Saves such an export, and requests of one row and of four to warm it up."""

    def saved(**changes):
        model = Export(**changes)
        request = {**SPECS, "user": tf.TensorSpec((1,), tf.float32, "user")}
        examples = tf.TensorSpec((None,), tf.string, "examples")
        signatures = {
            "predict": model.predict.get_concrete_function(**SPECS),
            "rank": model.rank.get_concrete_function(**request),
            "serving_default": model.examples.get_concrete_function(examples),
        }
        tf.saved_model.save(model, str(tmp_path / "1"), signatures=signatures)
        first = {name: values[:1] for name, values in ROWS.items()}
        write_warmup(tmp_path / "1", "model", [("predict", first), REQUESTS.predict])
        return tmp_path / "1"

    return saved


def test_an_export_that_answers_alike_passes(save, checked_here):
    assert check_export(save(), REQUESTS) < 1e-6


def test_a_number_that_is_missing_may_be_in_a_warm_up_request(tmp_path):
    price = np.array([np.nan, 1.0], np.float32)
    write_warmup(tmp_path, "model", [("predict", {"price": price})])
    ((signature, inputs),) = read_warmup(tmp_path)
    assert signature == "predict"
    np.testing.assert_array_equal(inputs["price"], price)


def add(clicks, **columns):
    return clicks + 0.01


def nan_for_few(clicks, **columns):
    return tf.where(tf.shape(clicks)[0] < 2, np.nan, clicks)


# What answers otherwise, and what the check of it says.
BROKEN = {
    "predict": (
        {"predict": add, "rank": add, "examples": add},
        r"`predict` differs from the trained model by 1.0e-02, more than 1e-05",
    ),
    "a warm-up request": (
        {"predict": nan_for_few},
        r"`predict` returns NaN or infinity for 'click'$",
    ),
    "rank": (
        {"rank": add},
        r"`rank` differs from `predict` by 1.0e-02, more than 1e-05",
    ),
    "examples": (
        {"examples": add},
        r"`serving_default` differs from `predict` by 1.0e-02, more than 1e-05",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_answers_otherwise_is_told(save, checked_here, what):
    changes, message = BROKEN[what]
    with pytest.raises(HomeError, match=message):
        check_export(save(**changes), REQUESTS)


def test_other_outputs_and_constant_answers_are_told(save, checked_here):
    version = save()
    with pytest.raises(HomeError, match=r"`predict` has the outputs \['click'\], and"):
        check_export(version, Requests(ROWS, {"like": EXPECTED["click"]}))
    equal = {name: np.repeat(values[:1], 4) for name, values in ROWS.items()}
    constant = Requests(equal, {"click": np.repeat(EXPECTED["click"][:1], 4)})
    with pytest.raises(HomeError, match=r"predicts 0\.4 for task .*whatever the"):
        check_export(version, constant)


def test_it_loads_as_in_tf_serving_in_a_process_without_this_package(trained, loaded):
    """By the loader of TensorFlow 1, from columns and from serialised examples."""
    _, version, batch, expected = trained
    columns = loaded.signatures["predict"].structured_input_signature[1]
    inputs = {k: v.numpy() for k, v in serving_inputs(batch, columns).items()}
    product = expected["is_click"] * expected["is_like"] ** 0.5
    requests = Requests(inputs, {**expected, "score": product})
    assert check_export(version, requests) < 1e-6


def test_the_process_refuses_this_package_and_legacy_keras():
    finder = RefusingFinder()
    for name in ("home_tf.layers", "tf_keras", "tensorflow_recommenders"):
        with pytest.raises(
            ImportError, match=f"{name} must not be imported: the SavedModel"
        ):
            finder.find_spec(name)
    assert finder.find_spec("home_tf_other") is None


@pytest.mark.slow
def test_the_check_tells_how_its_process_ended(tmp_path):
    with pytest.raises(HomeError, match=r"did not load and answer within 0.1 seconds"):
        check_export(tmp_path, REQUESTS, timeout=0.1)
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nkill -9 $$\n")
    python.chmod(0o755)
    with pytest.raises(HomeError, match=r"was ended by SIGKILL. If this machine is"):
        check_export(tmp_path, REQUESTS, python=str(python))
    message = r"cannot be loaded and called in a process that has only TensorFlow: .*"
    with pytest.raises(HomeError, match=message):
        check_export(tmp_path, REQUESTS)
