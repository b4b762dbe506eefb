"""A package that is not installed: one line that names the extra it comes with."""

import subprocess
import sys

import pytest

from home_tf.backend import IS_LEGACY
from home_tf.extras import MissingPackageError, extra, require_extra

pytestmark = pytest.mark.skipif(
    IS_LEGACY, reason="each process picks its Keras: once is enough"
)


def python_without(package, *arguments, **environment):
    """Runs Python where a package cannot be found."""
    script = (
        f"import runpy, sys; sys.modules[{package!r}] = None; "
        "sys.argv = sys.argv[1:]; "
        "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
    )
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={"PATH": "/usr/bin", "PYTHONPATH": ":".join(sys.path), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def message(package, extra):
    return (
        f"{package} is not installed. It comes with the extra `{extra}`: run `pip "
        f'install ".[{extra}]"` in the folder of the library\n'
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("home_tf.training", "pydantic", "pipeline"),
        ("home_tf.config", "ruamel", "pipeline"),
        ("home_tf.prepare", "duckdb", "pipeline"),
        ("home_tf.lab.comparison", "matplotlib", "compare"),
        ("home_tf.description.save_description", "jinja2", "report"),
        ("home_tf.diagnosis.save_report", "jinja2", "report"),
        ("home_tf.diagnosis.save_report", "matplotlib", "report"),
    ],
)
def test_an_import_names_the_extra(module, package, extra):
    done = python_without(package, module)
    last = done.stderr.splitlines(keepends=True)[-1]
    assert last == f"home_tf.extras.MissingPackageError: {message(package, extra)}"


def test_legacy_keras_is_an_extra():
    done = python_without("tf_keras", "home_tf.layers", TF_USE_LEGACY_KERAS="1")
    assert done.stderr.endswith(message("tf_keras", "tfrs"))


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [
        (["--help"], "typer", "pipeline"),
        (["evaluate", "--run", "x"], "rich", "pipeline"),
        (["train", "--framework", "tfrs"], "tensorflow_recommenders", "tfrs"),
        (["compare", "--quick", "--out", "x"], "lightgbm", "compare"),
        (["bench", "scaling", "--plot", "x"], "matplotlib", "compare"),
    ],
    ids=str,
)
def test_a_command_names_the_extra(command, package, extra, write_config, tmp_path):
    if command[0] in ("train", "compare"):
        command = [*command, "--config", str(write_config())]
    if command[0] == "train":
        command = [*command, "--data", tmp_path, "--out", tmp_path / "run"]
    done = python_without(package, "home_tf", *command)
    assert done.returncode == 2
    assert done.stderr == f"error: {message(package, extra)}"


def test_other_errors_pass():
    with pytest.raises(ModuleNotFoundError, match="nothing"), extra("pipeline"):
        import home_tf.nothing  # type: ignore  # noqa: F401
    with pytest.raises(KeyError), extra("pipeline"):
        raise KeyError
    with pytest.raises(MissingPackageError, match="no_such is not"):
        require_extra("pipeline", "numpy", "no_such")
