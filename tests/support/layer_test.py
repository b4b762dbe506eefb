"""Everything that a user may do with a layer, in one call."""

import json

import numpy as np

from home_tf.backend import IS_LEGACY, IS_TENSORFLOW, keras
from support.backends import dtype_name, randomize, to_numpy


def run_layer_test(make, inputs, shapes, tmp_path, *, quick=False):
    """Checks a layer as a part of a model.

    Args:
        make: Makes the layer, given keyword arguments of `keras.layers.Layer`.
        inputs: Its call arguments: arrays, or dicts of arrays.
        shapes: The expected output shape without the batch, or a dict of them.
        tmp_path: Where models are saved.
        quick: Whether to leave out what takes long in a large layer: SavedModel,
            training with XLA, mixed precision.
    """
    layer = make()
    check_config(layer)
    check_shapes(layer(*inputs), shapes, rows_of(inputs), "float32")
    randomize(layer)
    expected = to_numpy(layer(*inputs))
    check_one_row(layer, inputs, expected)
    model = functional(layer, inputs)
    check_equal(model.predict(feed(inputs), verbose=0), expected)
    check_saving(model, inputs, expected, tmp_path)
    if quick:
        return
    check_export(model, inputs, expected, tmp_path)
    check_training(make, inputs)
    for policy in ("mixed_float16", "mixed_bfloat16"):
        check_policy(make, inputs, shapes, policy)


def check_config(layer):
    config = layer.get_config()
    again = type(layer).from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config
    described = keras.saving.serialize_keras_object(layer)
    revived = keras.saving.deserialize_keras_object(json.loads(json.dumps(described)))
    assert type(revived) is type(layer)
    assert revived.get_config() == config


def check_shapes(outputs, shapes, rows, dtype):
    if isinstance(shapes, dict):
        assert list(outputs) == list(shapes)
        for name, shape in shapes.items():
            check_shapes(outputs[name], shape, rows, dtype)
    else:
        assert tuple(outputs.shape) == (rows, *shapes)
        assert dtype_name(outputs) == dtype


def check_one_row(layer, inputs, expected):
    one = [first_row(value) for value in inputs]
    check_equal(layer(*one), first_row(expected))


def check_saving(model, inputs, expected, tmp_path):
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    check_equal(loaded.predict(feed(inputs), verbose=0), expected)


def check_export(model, inputs, expected, tmp_path):
    if not IS_TENSORFLOW:
        return
    import tensorflow as tf

    model.export(str(tmp_path / "saved_model"))
    served = tf.saved_model.load(str(tmp_path / "saved_model"))
    tensors = tf.nest.map_structure(tf.constant, feed(inputs))
    if IS_LEGACY and isinstance(tensors, dict):
        tensors = tf.nest.flatten(tensors)  # legacy Keras forgets the names
    check_equal(served.serve(tensors), expected)


def check_training(make, inputs):
    """One compiled step with XLA moves every trainable weight."""
    layer = make()
    model = functional(layer, inputs)
    randomize(layer)
    before = [np.array(weight) for weight in layer.trainable_weights]
    model.compile(keras.optimizers.SGD(0.1), loss="mse", jit_compile=True)
    targets = as_targets(model.predict(feed(inputs), verbose=0))
    history = model.fit(feed(inputs), targets, verbose=0, batch_size=rows_of(inputs))
    assert np.isfinite(history.history["loss"]).all()
    for weight, old in zip(layer.trainable_weights, before, strict=True):
        assert np.abs(np.array(weight) - old).max() > 0, weight.name


def check_policy(make, inputs, shapes, policy):
    layer = make(dtype=policy)
    outputs = layer(*inputs)
    half = policy.removeprefix("mixed_")
    # Logits leave the towers in float32.
    dtype = "float32" if type(layer).__name__ == "TaskTowers" else half
    check_shapes(outputs, shapes, rows_of(inputs), dtype)
    for weight in layer.weights:
        assert dtype_name(weight) == "float32"
    randomize(layer)
    full = make()
    full(*inputs)
    full.set_weights(layer.get_weights())
    check_equal(layer(*inputs), to_numpy(full(*inputs)), rtol=0.1, atol=0.1)


def functional(layer, inputs):
    symbols = [symbol_of(value) for value in inputs]
    model = keras.Model(symbols if len(symbols) > 1 else symbols[0], layer(*symbols))
    assert all(leaf.shape[0] is None for leaf in leaves(model.output))
    return model


def symbol_of(value, name=None):
    if isinstance(value, dict):
        return {key: symbol_of(item, key) for key, item in value.items()}
    return keras.Input(value.shape[1:], dtype=value.dtype.name, name=name)


def feed(inputs):
    return list(inputs) if len(inputs) > 1 else inputs[0]


def leaves(values):
    return list(values.values()) if isinstance(values, dict) else [values]


def first_row(values):
    if isinstance(values, dict):
        return {name: first_row(value) for name, value in values.items()}
    return values[:1]


def rows_of(inputs):
    return len(leaves(inputs[0])[0])


def as_targets(outputs):
    """Other values than the model's, in its structure."""
    if isinstance(outputs, dict):
        return {name: as_targets(value) for name, value in outputs.items()}
    return np.asarray(outputs, np.float32) + 1


def check_equal(found, expected, rtol=1e-4, atol=1e-5):
    if isinstance(expected, dict):
        assert set(found) == set(expected)
        for name, value in expected.items():
            check_equal(found[name], value, rtol, atol)
    else:
        np.testing.assert_allclose(to_numpy(found), expected, rtol=rtol, atol=atol)
