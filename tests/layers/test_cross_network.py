"""The cross network: against NumPy and the cross layer of TFRS."""

import numpy as np
import pytest

from home_tf.backend import IS_LEGACY
from home_tf.layers import CrossNetwork

X = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)


def set_random_weights(layer):
    random = np.random.default_rng(1)
    values = [random.normal(size=w.shape) for w in layer.get_weights()]
    layer.set_weights(values)
    return dict(zip([w.name for w in layer.weights], values, strict=True))


@pytest.mark.parametrize("rank", [None, 2])
def test_the_output_is_that_of_the_paper(rank):
    layer = CrossNetwork(2, rank=rank)
    layer.build((None, 5))
    set_random_weights(layer)
    x = X.astype(np.float64)
    for kernels, bias in zip(layer.kernels, layer.biases, strict=True):
        w = np.linalg.multi_dot([np.eye(5), *map(np.asarray, kernels)])
        x = X * (x @ w + np.asarray(bias)) + x
    np.testing.assert_allclose(layer(X), x, rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(not IS_LEGACY, reason="TFRS needs legacy Keras")
@pytest.mark.parametrize("rank", [None, 2])
def test_a_layer_is_the_cross_layer_of_tfrs(rank):
    from tensorflow_recommenders.layers.feature_interaction import Cross

    ours, theirs = CrossNetwork(1, rank=rank), Cross(projection_dim=rank)
    theirs(X)
    ours.build((None, 5))
    set_random_weights(ours)
    theirs.set_weights([*map(np.asarray, ours.kernels[0]), np.asarray(ours.biases[0])])
    np.testing.assert_allclose(ours(X), theirs(X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("arguments", [{"num_layers": 0}, {"rank": 0}, {"rank": 1.5}])
def test_arguments_out_of_range(arguments):
    with pytest.raises(ValueError, match=r"must be a positive integer\. Received: "):
        CrossNetwork(**arguments)


def test_a_product_of_features_is_learnt():
    """Which no sum of functions of single features is."""
    from home_tf.backend import keras

    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    x = random.normal(size=(2000, 4)).astype(np.float32)
    y = x[:, :1] * x[:, 1:2]
    model = keras.Sequential([CrossNetwork(1), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(0.02), loss="mse")
    history = model.fit(x, y, epochs=10, batch_size=100, verbose=0).history["loss"]
    assert history[-1] < 0.01 < 0.3 < history[0]
