"""A layer inside the other Keras: a clear error, not a stack trace from inside."""

import subprocess
import sys

import pytest

from home_tf.backend import IS_LEGACY, IS_TENSORFLOW

pytestmark = pytest.mark.skipif(
    not IS_TENSORFLOW or IS_LEGACY, reason="each script picks its Keras: once is enough"
)

LAYERS = {
    "HoME": 'HoME({"a": ["x"]})',
    "ExpertBank": "ExpertBank(2)",
    "FeatureGate": "FeatureGate()",
}
USES = {
    "functional": "layer(other.Input((6,)))",
    "subclassed": """
class Model(other.Model):
    def __init__(self):
        super().__init__()
        self.inner = layer
    def call(self, x):
        return self.inner(x)
Model()(np.ones((2, 6), "float32"))
""",
}


def run(script, **environment):
    return subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": "/usr/bin", "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("legacy", [False, True], ids=["keras-3", "legacy"])
def test_a_layer_in_a_model_of_the_other_keras(legacy, use):
    """All layers in one process each, because a process takes seconds to start."""
    other = "keras" if legacy else "tf_keras"
    script = f"import numpy as np\nimport {other} as other\n"
    for layer, make in LAYERS.items():
        script += f"from home_tf.layers import {layer}\nlayer = {make}\n"
        body = "\n".join(f"    {line}" for line in USES[use].strip().splitlines())
        script += f"try:\n{body}\nexcept ValueError as error:\n    print(error)\n"
        script += f"else:\n    print('{layer} went through')\n"
    done = run(script, **({"TF_USE_LEGACY_KERAS": "1"} if legacy else {}))
    assert done.returncode == 0, done.stderr
    mine = "legacy Keras (tf_keras)" if legacy else "Keras 3"
    for layer in LAYERS:
        assert f"`{layer}` is a layer of {mine}, but it is used inside" in done.stdout
    assert done.stdout.count("TF_USE_LEGACY_KERAS") >= len(LAYERS)


def test_changing_the_variable_after_the_import_is_told():
    done = run(
        "import os\n"
        "from home_tf.layers import FeatureGate\n"
        "os.environ['TF_USE_LEGACY_KERAS'] = '1'\n"
        "FeatureGate()\n"
    )
    assert done.returncode == 1
    assert "was changed after `home_tf` was imported" in done.stderr.splitlines()[-1]


def test_a_keras_3_layer_in_a_tfrs_model_is_told():
    done = run(
        "from home_tf.layers import FeatureGate\n"
        "layer = FeatureGate()\n"
        "import os\n"
        "os.environ['TF_USE_LEGACY_KERAS'] = '1'\n"
        "import tf_keras\n"
        "layer(tf_keras.Input((4,)))\n"
    )
    assert done.returncode == 1
    assert "Set it before the first import of tensorflow" in done.stderr


def test_the_layers_need_no_tensorflow_on_another_backend():
    """On Keras 3 the layers name no TensorFlow symbol: its import may fail."""
    done = run(
        "import sys\n"
        "import keras\n"
        "loaded = 'tensorflow' in sys.modules\n"
        "import home_tf.layers, home_tf.losses\n"
        "assert ('tensorflow' in sys.modules) == loaded\n"
        "import ast, pathlib\n"
        "folder = pathlib.Path(home_tf.layers.__file__).parent\n"
        "for file in folder.glob('*.py'):\n"
        "    names = {node.id for node in ast.walk(ast.parse(file.read_text()))\n"
        "             if isinstance(node, ast.Name)}\n"
        "    assert not names & {'tf', 'tensorflow', 'tf_keras'}, file\n"
    )
    assert done.returncode == 0, done.stderr
