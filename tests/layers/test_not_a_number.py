"""What is not a number stays none: no layer makes a plausible logit of it."""

import numpy as np
import pytest

from home_tf.backend import IS_TENSORFLOW, keras
from home_tf.layers import (
    CGC,
    PLE,
    AdaTT,
    Expert,
    ExpertBank,
    HoME,
    MMoE,
    SharedBottom,
    SingleTask,
    TaskTowers,
)

GROUPS = {"watch": ["view"], "inter": ["like", "click"]}
TASKS = ["view", "like", "click"]
EXPERTS = {"home": Expert.home, "swish": Expert.swish, "relu": Expert.relu}
ROWS = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)


def compiled(function):
    """In a graph, where TensorFlow merges operations."""
    if not IS_TENSORFLOW:
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function)


@pytest.mark.slow
@pytest.mark.parametrize("expert", EXPERTS)
@pytest.mark.parametrize(
    "architecture", [HoME, SharedBottom, SingleTask, MMoE, CGC, PLE, AdaTT]
)
def test_it_reaches_the_logits_of_its_row_and_of_no_other(architecture, expert):
    layer = architecture(GROUPS, expert=EXPERTS[expert](units=(5, 4)))
    towers = TaskTowers(TASKS, hidden_units=(6, 5))
    call = compiled(lambda v: towers(layer(v, training=False)))
    call(ROWS)
    rows = ROWS.copy()
    rows[2, 3] = np.nan
    for task, logits in call(rows).items():
        wrong = np.isnan(np.array(logits).ravel())
        assert wrong.tolist() == [row == 2 for row in range(6)], task


@pytest.mark.parametrize("expert", EXPERTS)
def test_it_reaches_the_output_of_every_expert(expert):
    bank = ExpertBank(3, EXPERTS[expert](units=(5, 4)))
    call = compiled(lambda v: bank(v, training=False))
    call(ROWS)
    rows = ROWS.copy()
    rows[2, 3] = np.nan
    found = np.isnan(np.array(call(rows)))
    assert found[2].all()
    assert not np.delete(found, 2, axis=0).any()


@pytest.mark.slow
@pytest.mark.skipif(not IS_TENSORFLOW, reason="fit needs the TensorFlow backend")
@pytest.mark.parametrize("expert", EXPERTS)
def test_keras_own_callback_sees_it_in_the_loss(expert):
    inputs = keras.Input((8,))
    home = HoME(GROUPS, expert=EXPERTS[expert](units=(4,)))
    model = keras.Model(inputs, TaskTowers(TASKS)(home(inputs)))
    model.compile(
        "sgd", loss=dict.fromkeys(TASKS, keras.losses.BinaryCrossentropy(True))
    )
    rows = np.tile(ROWS, (4, 1))
    rows[13, 2] = np.nan
    labels = {task: np.ones((24, 1), np.float32) for task in TASKS}
    history = model.fit(
        rows,
        labels,
        batch_size=6,
        epochs=3,
        callbacks=[keras.callbacks.TerminateOnNaN()],
        verbose=0,
    ).history
    assert np.isnan(history["loss"][-1])
    assert len(history["loss"]) == 1
