"""The figures of a training step, with either Keras."""

import pytest
import tensorflow as tf
from support.benchmarks import is_ratio, kept_keys

from home_tf.backend import IS_LEGACY
from home_tf.lab.bench.step import PARTS, _products_of, bench_step, plot_step

FRAMEWORK = "tfrs" if IS_LEGACY else "keras"


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_figures_of_a_step(small_config, prepared, tmp_path, jit_compile):
    config = small_config(
        training__framework=FRAMEWORK, training__jit_compile=jit_compile
    )
    found = bench_step(config, prepared, rounds=3)
    names = ["ms", *(f"{n}_share" for n in (*PARTS, "products", "preprocessing"))]
    names += ["compiled_speedup"] if jit_compile else []
    assert all(is_ratio(found[f"step.{name}"]) for name in names)
    assert kept_keys("step") <= found.keys()
    # Alone, a part takes no longer than the whole: measured with much to spare.
    assert all(found[f"step.{part}_share"]["low"] < 2.0 for part in PARTS)
    plot_step(found, tmp_path / "step.png")
    assert (tmp_path / "step.png").stat().st_size > 5_000


def test_the_products_of_a_graph_are_those_of_its_shapes():
    @tf.function
    def computed(x, w, batched):
        product = tf.matmul(tf.nn.relu(x), w, transpose_b=True)
        return product, tf.matmul(batched, batched, transpose_a=True)

    shapes = [(5, 3), (4, 3), (2, 6, 7)]
    traced = computed.get_concrete_function(*map(tf.zeros, shapes))
    products = _products_of(traced.graph)()
    assert [tuple(one.shape) for one in products] == [(5, 4), (2, 7, 7)]
    assert all(float(tf.norm(one)) > 0.0 for one in products)
