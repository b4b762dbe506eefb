"""The files of `pipelines/serving` are what TF Serving reads, and fit each other."""

from pathlib import Path

import pytest
from google.protobuf import text_format
from ruamel.yaml import YAML
from support.serving import read_batching, read_monitoring
from tensorflow_serving.config import model_server_config_pb2

from home_tf.export.requests import WARMUP_ROWS

ROOT = Path(__file__).parents[2]
SERVING = ROOT / "pipelines" / "serving"


@pytest.fixture(scope="module")
def service():
    (found,) = YAML(typ="safe").load(SERVING / "compose.yaml")["services"].values()
    return found


def on_host(service, path):
    """A file or folder of the container, where it is mounted from."""
    for volume in service["volumes"]:
        host, folder, mode = volume.split(":")
        assert mode == "ro"
        if Path(path).is_relative_to(folder):
            return (SERVING / host / Path(path).relative_to(folder)).resolve()
    raise AssertionError(f"{path} is not mounted")


def test_the_model_is_where_the_demo_leaves_it(service):
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((SERVING / "models.config").read_text(), config)
    (model,) = config.model_config_list.config
    assert (model.name, model.model_platform) == ("demo", "tensorflow")
    assert model.model_version_policy.latest.num_versions == 1
    assert on_host(service, model.base_path) == ROOT / "saved_models" / "demo"
    assert (ROOT / "saved_models").is_dir()


def test_prometheus_finds_the_metrics_at_the_documented_path():
    found = read_monitoring(SERVING / "monitoring.config").prometheus_config
    assert found.enable
    assert f"8501{found.path}" in (SERVING / "monitoring.config").read_text()


def test_the_flags_name_files_that_are_there(service):
    flags = dict(flag.split("=", 1) for flag in service["command"])
    files = {name for name in flags if name.endswith("_file")}
    assert files == {"--model_config_file", "--monitoring_config_file"}
    assert all(on_host(service, flags[name]).is_file() for name in files)
    assert not [flag for flag in flags if "batching" in flag]


def test_batches_hold_a_warm_up_request():
    parameters = read_batching(SERVING / "batching.config")
    assert parameters.max_batch_size.value >= WARMUP_ROWS
    for name in ("batch_timeout_micros", "num_batch_threads", "max_enqueued_batches"):
        assert getattr(parameters, name).value > 0


def test_a_wrong_name_in_the_batching_file_is_found(tmp_path):
    (tmp_path / "batching.config").write_text("max_batch_sise { value: 1 }")
    with pytest.raises(text_format.ParseError, match="max_batch_sise"):
        read_batching(tmp_path / "batching.config")
