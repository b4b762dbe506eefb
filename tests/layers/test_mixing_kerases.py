"""A layer inside the other Keras: a clear error, not a stack trace from inside."""

import ast
import json
from pathlib import Path

import pytest
from support.processes import run_python

import home_tf.layers
from home_tf.backend import IS_LEGACY, IS_TENSORFLOW

pytestmark = pytest.mark.skipif(
    not IS_TENSORFLOW or IS_LEGACY, reason="each script picks its Keras: once is enough"
)

SCRIPT = Path(__file__).parents[1] / "support" / "mixed_kerases.py"
LAYERS = {"HoME", "ExpertBank", "FeatureGate"}


@pytest.fixture(scope="module", params=[False, True], ids=["keras-3", "legacy"])
def told(request):
    """Whether the layers are of legacy Keras, and what is told of each use of them."""
    legacy = {"TF_USE_LEGACY_KERAS": "1"} if request.param else {}
    done = run_python(SCRIPT, TF_CPP_MIN_LOG_LEVEL="3", **legacy)
    assert done.returncode == 0, done.stderr
    return request.param, json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("use", ["functional", "subclassed"])
def test_a_layer_in_a_model_of_the_other_keras(told, use):
    legacy, found = told
    mine = "legacy Keras (tf_keras)" if legacy else "Keras 3"
    assert found[use].keys() == LAYERS
    for layer, message in found[use].items():
        assert f"`{layer}` is a layer of {mine}, but it is used inside" in message
        assert "TF_USE_LEGACY_KERAS" in message


@pytest.mark.slow
@pytest.mark.parametrize("told", [False], indirect=True)
@pytest.mark.parametrize("use", ["in a model", "alone"])
def test_changing_the_variable_after_the_import_is_told(told, use):
    message = told[1]["changed"][use]
    assert "was changed after `home_tf` was imported" in message
    assert "Set it before the first import of tensorflow" in message


def test_the_layers_name_no_tensorflow():
    """On another backend its import may fail, as in the environment of JAX."""
    files = list(Path(home_tf.layers.__file__).parent.glob("*.py"))
    assert files
    for file in files:
        nodes = ast.walk(ast.parse(file.read_text()))
        names = {node.id for node in nodes if isinstance(node, ast.Name)}
        assert not names & {"tf", "tensorflow", "tf_keras"}, file
