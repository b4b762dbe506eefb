"""Reading `TF_CONFIG`."""

import json

import pytest

from home_tf.cluster import Cluster, describe_worker
from home_tf.errors import HomeError

HOSTS = ["a:1", "b:1"]


def cluster(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    return Cluster.from_environment()


def config(addresses, kind, index):
    return json.dumps({"cluster": addresses, "task": {"type": kind, "index": index}})


@pytest.mark.parametrize("text", ["", "{}", '{"cluster": {}}'])
def test_without_a_cluster_there_is_one_process(monkeypatch, text):
    assert cluster(monkeypatch, text) == Cluster()
    assert Cluster().is_chief


def test_worker_0_is_the_chief_unless_there_is_one(monkeypatch):
    first, second = (
        cluster(monkeypatch, describe_worker(HOSTS, index)) for index in range(2)
    )
    assert (first.workers, first.is_chief, second.is_chief) == (2, True, False)
    named = {"chief": ["c:1"], "worker": HOSTS, "ps": ["p:1"]}
    assert cluster(monkeypatch, config(named, "chief", 0)).is_chief
    worker = cluster(monkeypatch, config(named, "worker", 0))
    assert (worker.workers, worker.parameter_servers) == (3, 1)
    assert not worker.is_chief


@pytest.mark.parametrize(
    "text",
    [
        "worker 0",
        "[]",
        '{"cluster": {"worker": ["a:1"]}}',
        config({"worker": HOSTS}, "worker", 2),
        config({"worker": HOSTS}, "boss", 0),
        config({"worker": HOSTS}, "worker", None),
    ],
)
def test_anything_else_is_one_line(monkeypatch, text):
    with pytest.raises(HomeError, match="must be JSON such as") as error:
        cluster(monkeypatch, text)
    assert "\n" not in str(error.value)
