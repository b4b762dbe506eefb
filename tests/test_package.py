"""`import home_tf` as a user meets it, in fresh processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import home_tf
from home_tf.backend import IS_LEGACY, keras

SUPPORT = Path(__file__).parent / "support"
# What someone who only wants layers need not have.
HEAVY = (
    "optuna",
    "pyarrow",
    "pydantic",
    "rich",
    "ruamel.yaml",
    "tensorboard",
    "tensorflow_recommenders",
    "tensorflow_serving",
    "typer",
    "home_tf.config",
    "home_tf.training",
)
BASE = ("layers", "losses", "loss_weighting", "metrics", "models", "optimizers")


def run(*arguments):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_USE_LEGACY_KERAS": str(int(IS_LEGACY))},
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_subpackages_are_there_on_first_use():
    script = (
        "import sys, home_tf\n"
        "assert {'layers', 'tfrs', '__version__'} <= set(dir(home_tf))\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'keras', 'tf_keras', 'tensorflow', 'numpy'}, loaded\n"
        "print(home_tf.layers.HoME.__name__, home_tf.losses.__name__)"
    )
    assert run("-c", script) == "HoME home_tf.losses\n"


def test_dir_names_what_can_be_had():
    for name in dir(home_tf):
        if name != "tfrs":  # only with legacy Keras
            getattr(home_tf, name)


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'home_tf' has no attribute 'layer'"):
        home_tf.layer  # noqa: B018


def test_the_base_needs_no_package_of_an_extra():
    modules = ",".join(f"home_tf.{name}" for name in BASE)
    found = run(SUPPORT / "forbidden_imports.py", modules, ",".join(HEAVY))
    assert json.loads(found) == []


def test_the_program_starts_without_a_framework():
    """Which Keras to import stands in the configuration that a command reads."""
    script = (
        "import sys\nfrom home_tf.__main__ import make_app\nmake_app()\n"
        "print(sorted({'keras', 'tf_keras', 'tensorflow'} & sys.modules.keys()))"
    )
    assert run("-c", script) == "[]\n"


def test_a_saved_model_loads_once_its_classes_are_imported(tmp_path):
    inputs = keras.Input((6,))
    outputs = home_tf.layers.TaskTowers(["x"])(
        home_tf.layers.MMoE({"a": ["x"]})(inputs)
    )
    model = keras.Model(inputs, outputs)
    losses, metrics = home_tf.losses, home_tf.metrics
    model.compile(
        loss={"x": losses.MaskedBinaryCrossentropy()},
        metrics={"x": [metrics.MaskedAUC()]},
    )
    model.save(tmp_path / "model.keras")
    script = (
        "import sys, home_tf\n"
        "home_tf.layers, home_tf.losses, home_tf.metrics\n"
        "from home_tf.backend import keras\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "print(type(model.layers[1]).__name__, type(model.loss['x']).__name__)"
    )
    found = run("-c", script, tmp_path / "model.keras")
    assert found == "MMoE MaskedBinaryCrossentropy\n"
