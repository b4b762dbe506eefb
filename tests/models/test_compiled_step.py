"""The step of which XLA compiles the dense part; its numbers are tested beside."""

import numpy as np
import pytest
import tensorflow as tf
from support.ranking_models import TASKS, make_batches, make_network, model_classes
from support.strategies import two_devices

from home_tf.backend import keras
from home_tf.models import RankingModel
from home_tf.optimizers import LazyAdam


def make_model(model_class, optimizer, network=None, **options):
    model = model_class(network or make_network(), TASKS, **options)
    model.compile(optimizer, jit_compile=True)
    return model


@pytest.mark.parametrize("model_class", model_classes())
def test_xla_compiles_the_dense_part_alone(model_class):
    model = make_model(model_class(), keras.optimizers.SGD(0.1))
    batch = next(iter(make_batches()))
    step = tf.function(model.train_step, autograph=False).get_concrete_function(batch)
    compiled = [
        function
        for function in step.graph.as_graph_def().library.function
        if function.attr["_XlaMustCompile"].b
    ]
    (cluster,) = [f for f in compiled if len(f.node_def) > 100]
    operations = {node.op for node in cluster.node_def}
    assert {"MatMul", "SoftplusGrad"} & operations
    assert (
        not {"ResourceGather", "ResourceScatterAdd", "UnsortedSegmentSum"} & operations
    )


@pytest.mark.parametrize("model_class", model_classes())
def test_a_wrong_label_is_told_with_its_task(model_class):
    model = make_model(model_class(), keras.optimizers.SGD(0.1))
    model.network.build(None)
    features, labels, weights = next(iter(make_batches()))
    before = [np.array(w) for w in model.network.get_weights()]
    with pytest.raises(tf.errors.InvalidArgumentError, match="like: labels must be 0"):
        model.train_on_batch(
            features, {**labels, "like": labels["like"] + 2.0}, sample_weight=weights
        )
    for old, new in zip(before, model.network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.slow
def test_rows_that_are_not_looked_up_stay_as_they_are():
    network = make_network(embedding_l2=0.0)
    network.build(None)
    model = make_model(RankingModel, LazyAdam(0.1), network)
    table = network.features.rows_of("user")
    before = np.array(table)
    features, labels, weights = next(iter(make_batches()))
    model.train_on_batch(features, labels, sample_weight=weights)
    seen = np.isin(np.arange(50), features["user"])
    assert (np.abs(np.array(table) - before).max(axis=1) > 0.05).tolist() == list(seen)


@pytest.mark.slow
def test_learnt_loss_weights_are_trained_too():
    model = make_model(
        RankingModel, keras.optimizers.SGD(0.1), None, loss_weighting="uncertainty"
    )
    features, labels, _ = next(iter(make_batches()))
    model.train_on_batch(features, labels)
    # The derivative of exp(-s) L + s / 2 at 0 is 1/2 - L, and all L are near 0.69.
    assert np.all(np.array(model.loss_weighting.log_variances) > 0.0)


def test_several_replicas_are_refused():
    with two_devices().scope():
        model = RankingModel(make_network(), TASKS)
        with pytest.raises(
            ValueError, match=r"`jit_compile` must be False .* 2 replic"
        ):
            model.compile("adam", jit_compile=True)


@pytest.mark.slow
@pytest.mark.parametrize("model_class", model_classes())
def test_half_precision_is_near_full_precision(model_class):
    """Its optimizer scales the loss."""
    ends, start = [], None
    for jit_compile in (False, True):
        keras.utils.set_random_seed(0)
        network = make_network(dtype="mixed_float16")
        network.build(None)
        start = start or network.get_weights()
        network.set_weights(start)
        model = model_class()(network, TASKS, dtype="mixed_float16")
        model.compile(keras.optimizers.SGD(0.1), jit_compile=jit_compile)
        model.fit(make_batches(), verbose=0, shuffle=False)
        ends.append(network.get_weights())
    for plain, compiled in zip(*ends, strict=True):
        np.testing.assert_allclose(plain, compiled, atol=5e-3)
