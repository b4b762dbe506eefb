"""docs/guides/distributed.md as its readers run it: the scripts in two processes."""

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML
from support.workers import run_workers

from home_tf.backend import IS_LEGACY
from home_tf.cluster import Cluster
from home_tf.data import Column, RecordWriter

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guides" / "distributed.md").read_text(encoding="utf-8")


def block(language):
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return text


def write_records(folder):
    rows = 2050
    random = np.random.default_rng(0)
    values = {
        "user": random.integers(0, 1000, rows),
        "click": random.integers(0, 2, rows).astype(np.float32),
        "like": random.integers(0, 2, rows).astype(np.float32),
    }
    columns = {name: Column(str(value.dtype)) for name, value in values.items()}
    with RecordWriter(folder, columns, shards=1) as writer:
        writer.write("train", values)


def script():
    text = block("python").replace("/tmp/", "")
    if IS_LEGACY:
        text = text.replace(
            "import RankingModel, RankingNetwork", "import RankingNetwork"
        )
        text = text.replace(
            "data, tasks", "from home_tf.tfrs import RankingModel\n\ndata, tasks"
        )
    return text


@pytest.mark.slow
def test_the_script_trains_in_two_processes(tmp_path):
    write_records(tmp_path / "records")
    done = run_workers(
        "-c",
        script(),
        cwd=tmp_path,
        PYTHONPATH=str(ROOT),
        TF_USE_LEGACY_KERAS="1" if IS_LEGACY else "0",
    )
    assert [code for code, _ in done] == [0, 0], "\n".join(text for _, text in done)
    assert (tmp_path / "model.weights.h5").is_file()
    assert "2/3" in done[0][1] or "3/3" in done[0][1]  # two full batches and a rest


def found_cluster(monkeypatch, command, **variables):
    """The cluster that a shell command sets, in whose place `home-tf` shows it."""
    environment = {**os.environ, **variables}
    done = subprocess.run(
        ["bash", "-c", 'home-tf() { echo "$TF_CONFIG $*"; }\n' + command],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    config, arguments = done.stdout.split(" train ")
    monkeypatch.setenv("TF_CONFIG", config)
    assert arguments.endswith("--out /data/runs/0 --strategy multi_worker\n")
    return config, Cluster.from_environment()


@pytest.mark.skipif(IS_LEGACY, reason="once is enough")
def test_the_pods_of_kubernetes_make_a_cluster(monkeypatch):
    service, job = YAML(typ="safe", pure=True).load_all(block("yaml"))
    assert (service["kind"], job["kind"]) == ("Service", "Job")
    name, pod = job["metadata"]["name"], job["spec"]["template"]["spec"]
    assert service["spec"]["selector"] == {"job-name": name}
    assert service["metadata"]["name"] == pod["subdomain"]
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == 2
    (container,) = pod["containers"]
    assert container["command"] == ["bash", "-c"]
    variables = {one["name"]: one["value"] for one in container["env"]}
    command = container["args"][0].replace("exec ", "")
    config, cluster = found_cluster(
        monkeypatch, command, JOB_COMPLETION_INDEX="1", **variables
    )
    assert f'"{name}-1.{pod["subdomain"]}:2222"' in config
    assert (cluster.workers, cluster.index, cluster.is_chief) == (2, 1, False)


@pytest.mark.skipif(IS_LEGACY, reason="once is enough")
def test_the_tasks_of_slurm_make_a_cluster(monkeypatch, tmp_path):
    for name, text in {
        "scontrol": 'printf "%s\\n" node7 node9',
        "srun": '"$@"',
        "home-tf": 'echo "$TF_CONFIG $*"',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_NODELIST", "node[7,9]")
    monkeypatch.setenv("SLURM_PROCID", "0")
    done = subprocess.run(
        ["bash", "-c", block("bash")], capture_output=True, text=True, check=True
    )
    config, arguments = done.stdout.split(" train ")
    assert arguments.endswith("--strategy multi_worker\n")
    monkeypatch.setenv("TF_CONFIG", config)
    cluster = Cluster.from_environment()
    assert '["node7:2222","node9:2222"]' in config
    assert (cluster.workers, cluster.index, cluster.is_chief) == (2, 0, True)
