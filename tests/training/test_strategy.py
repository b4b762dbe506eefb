"""`training.strategy`: which strategy trains, and which are refused."""

import pytest
import tensorflow as tf
from support.strategies import two_devices

from home_tf.cluster import describe_worker
from home_tf.config import TrainingConfig
from home_tf.errors import HomeError
from home_tf.training.strategy import (
    check_options,
    check_strategy,
    default_strategy,
    make_strategy,
)

HOSTS = ["a:1", "b:1"]


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)


def refusal(make, *arguments):
    with pytest.raises(HomeError) as error:
        make(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_one_device_has_no_strategy_that_would_only_cost():
    assert default_strategy(0) is default_strategy(1) is tf.distribute.get_strategy()


def test_mirrored_is_so_on_one_device():
    strategy = make_strategy("mirrored")
    assert isinstance(strategy, tf.distribute.MirroredStrategy)
    assert strategy is make_strategy("mirrored")


def test_parameter_servers_are_refused_with_the_reason():
    line = refusal(make_strategy, "parameter_server")
    assert line.startswith("`training.strategy` must not use parameter servers: ")
    assert "no global batch" in line
    # Making one connects to its servers.
    strategy = object.__new__(tf.distribute.ParameterServerStrategy)
    line = refusal(check_strategy, strategy)
    assert line.startswith("`strategy` must not use parameter servers: ")


@pytest.mark.parametrize("name", ["auto", "mirrored"])
def test_several_workers_are_not_left_to_train_alone(monkeypatch, name):
    monkeypatch.setenv("TF_CONFIG", describe_worker(HOSTS, 1))
    line = refusal(make_strategy, name)
    assert f"`training.strategy: {name}` trains in one process" in line
    assert "names 2 workers and 0 parameter servers" in line


def test_several_workers_need_a_cluster(monkeypatch):
    assert "home-tf launch" in refusal(make_strategy, "multi_worker")
    monkeypatch.setenv("TF_CONFIG", describe_worker(HOSTS[:1], 0))
    assert "among 1 workers" in refusal(make_strategy, "multi_worker")


def test_several_workers_must_meet_first(monkeypatch):
    """The process of the tests has computed with TensorFlow already."""
    tf.constant(1.0) + 1.0
    monkeypatch.setenv("TF_CONFIG", describe_worker(HOSTS, 0))
    assert "before TensorFlow computes" in refusal(make_strategy, "multi_worker")


def test_a_given_strategy_must_be_a_known_one():
    assert check_strategy(two_devices()) is two_devices()
    other = tf.distribute.experimental.CentralStorageStrategy(["CPU:0", "CPU:1"])
    assert "Received: CentralStorage" in refusal(check_strategy, other)


def test_several_workers_take_one_step_at_a_time():
    # Without a cluster it is one worker, and starts nothing.
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    training = TrainingConfig(steps_per_execution=4)
    line = refusal(check_options, strategy, training)
    assert line.startswith("`training.steps_per_execution` must be 1 with several ")
    check_options(two_devices(), training)


def test_several_replicas_are_not_compiled():
    training = TrainingConfig(jit_compile=True)
    line = refusal(check_options, two_devices(), training)
    assert line.startswith("`training.jit_compile` must be false with several replicas")
    check_options(tf.distribute.get_strategy(), training)


def test_several_workers_do_not_read_from_a_data_service():
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    training = TrainingConfig(data_service="grpc://host:5050")
    line = refusal(check_options, strategy, training)
    assert line.startswith("`training.data_service` works with one process")
    check_options(two_devices(), training)
