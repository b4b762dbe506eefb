"""The README and the docs as code: every block runs as a reader would run it."""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from ruamel.yaml import YAML
from support.guides import PAGES
from support.small_config import SMALL_CONFIG
from support.tensorflow_log import without_cost_estimates
from typer.main import get_command

from home_tf.__main__ import make_app
from home_tf.backend import IS_LEGACY
from home_tf.config import load_config, override_config
from home_tf.data import DatasetDirectory
from home_tf.features import Preprocessor
from home_tf.lab.comparison import compared_models
from home_tf.prepare import prepare
from home_tf.training import Experiment
from home_tf.tuning import NETWORK_SPACE, make_space

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    IS_LEGACY, reason="each block picks its Keras: once is enough"
)


def blocks(file, language):
    text = (ROOT / file).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def run(*arguments, cwd, **variables):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**environment, "COLUMNS": "80", "NO_COLOR": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def demo(logs, tmp_path_factory):
    """The folder in which the pipeline ran, on small logs with a small model."""
    folder = tmp_path_factory.mktemp("demo")
    config = SMALL_CONFIG.replace("training:", "training:\n  framework: tfrs")
    # The whole of HoME.
    config = config.replace("feature_gate: none, self_gate: none", "lora_rank: 2")
    assert "lora_rank" in config
    # Lists as long as those of the pipeline, for the client in docs/guides/serving.md.
    config = config.replace("length: 5", "length: 20")
    (folder / "small.yaml").write_text(config)
    pipeline = ROOT / "pipelines" / "kuairand.py"
    done = run(pipeline, "--source", logs, "--config", "small.yaml", cwd=folder)
    return folder, done


def test_the_pipeline_leaves_what_the_readme_says(demo):
    folder, done = demo
    assert without_cost_estimates(done.stderr) == ""
    assert "is_click" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines()), done.stdout
    metrics = json.loads((folder / "runs/small/metrics.json").read_text())
    assert set(metrics["test"]["gauc"]) == {"long_view", "is_click", "is_like"}
    assert (folder / "runs/small/checkpoints/best").is_dir()
    assert (folder / "saved_models/small/1/saved_model.pb").is_file()
    report = "runs/small/diagnosis/report.html"
    assert done.stdout.splitlines()[-1] == f"wrote {report}"
    assert "Training curves" in (folder / report).read_text()


@pytest.mark.slow
def test_the_pipeline_tells_of_a_missing_folder_in_one_line(tmp_path):
    pipeline = ROOT / "pipelines" / "kuairand.py"
    done = subprocess.run(
        [sys.executable, str(pipeline), "--source", "nowhere"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: `source` must be a folder")
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_readmes_example_is_short_and_runs(tmp_path):
    (script,) = blocks("README.md", "python")
    assert len([line for line in script.splitlines() if line.strip()]) <= 15
    run("-c", script, cwd=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "number"), [("docs/reference/layers.md", 0), ("docs/guides/tfrs.md", 0)]
)
def test_a_training_script_of_the_docs_runs(tmp_path, file, number):
    run("-c", blocks(file, "python")[number], cwd=tmp_path)


@pytest.mark.slow
def test_the_script_without_a_server_runs_on_the_export(demo):
    folder, _ = demo
    if not (folder / "saved_models/demo").exists():
        (folder / "saved_models/small").rename(folder / "saved_models/demo")
    *_, script = blocks("docs/guides/serving.md", "python")
    done = run("-I", "-c", script, cwd=folder)
    assert re.search(r"^is_click +\[0\.\d+ +0\.\d+ *\]$", done.stdout, re.MULTILINE)


# The blocks of the docs, each with a test below; those of the README run in processes
# of their own, for they pick a Keras. A tutorial runs as a whole, in test_tutorials.py,
# and so do the pages in test_guides.py; what is in docs/results was written by
# `home-tf compare`.
BLOCKS = {
    "docs/benchmarks/comparison.md": ["yaml"],
    "docs/reference/config.md": ["yaml"],
    "docs/guides/data.md": ["yaml", "yaml", "python", "python", "yaml", "python"],
    "docs/guides/day_by_day.md": ["yaml"],
    "docs/guides/diagnosis.md": ["python"],
    "docs/guides/distributed.md": ["python", "dockerfile", "yaml", "bash"],
    "docs/reference/layers.md": ["python", "python"],
    "docs/guides/loss_weighting.md": ["yaml", "python"],
    "docs/reference/metrics.md": ["python"],
    "docs/guides/regression.md": ["yaml", "python"],
    "docs/guides/scaling.md": ["text"],  # in tests/benchmarks/test_cluster_size.py
    "docs/guides/serving.md": ["python", "yaml", "yaml", "python"],
    "docs/guides/tfrs.md": ["python", "python"],
    "docs/guides/tuning.md": ["yaml", "yaml"],
}


def test_every_block_of_the_docs_has_a_test():
    found = {}
    for path in sorted((ROOT / "docs").rglob("*.md")):
        languages = re.findall(r"^```(\w+)$", path.read_text("utf-8"), re.MULTILINE)
        if languages and not {"tutorials", "results"} & set(path.parts):
            found[str(path.relative_to(ROOT))] = languages
    assert {page: found[page] for page in found.keys() - set(PAGES)} == BLOCKS


def execute(script, **names):
    """Runs a block in this process; returns its names."""
    names["__name__"] = "block"
    exec(script, names)
    return names


def test_the_reading_example_runs(prepared, tmp_path, monkeypatch):
    (tmp_path / "records").symlink_to(prepared)
    monkeypatch.chdir(tmp_path)
    script, *_ = blocks("docs/guides/data.md", "python")
    batch = next(iter(execute(script)["dataset"]))
    assert batch["user_id"].shape == (1024,)


@pytest.mark.slow
def test_the_example_of_own_logs_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, script, in_python = blocks("docs/guides/data.md", "python")
    *_, text = blocks("docs/guides/data.md", "yaml")
    rows = execute(script)["rows"]
    Path("config.yaml").write_text(text)
    config = load_config("config.yaml")
    preprocessor = Preprocessor(config.features, DatasetDirectory("my_records"))
    outputs = preprocessor({name: tf.constant(rows[name]) for name in rows})
    assert outputs["user"].numpy().tolist() == [2, 2, 3, 3]  # 0 missing, 1 unknown
    assert outputs["price_range"].numpy().tolist() == [1, 0, 1, 1]
    logarithms = np.log1p([3.0, 1.0, 2.0, 2.0])
    expected = (logarithms - logarithms.mean()) / logarithms.std()
    np.testing.assert_allclose(outputs["numeric_features"][:, 0], expected, atol=1e-5)
    rate = preprocessor.data.statistics("click").positive_rate
    assert rate == pytest.approx(2 / 3)
    Experiment(config, preprocessor).make_network()
    names = execute(in_python)
    assert names["features"] == config.features
    assert names["tasks"] == config.tasks
    assert np.isfinite(names["history"].history["loss"]).all()


def test_ten_lines_of_yaml_prepare_a_csv_file(tmp_path):
    people, *_ = blocks("docs/guides/data.md", "yaml")
    assert len(people.strip().splitlines()) == 10
    lines = [f"{age},{'clerk' if age % 2 else 'nurse'},{age % 3}" for age in range(99)]
    text = "\n".join(["age,job,income", *lines]).replace(",2\n", ",50000+\n")
    (tmp_path / "people.csv").write_text(text)
    (tmp_path / "people.yaml").write_text(people)
    made = prepare(None, tmp_path / "people.yaml", tmp_path / "records")
    assert sum(split.rows for split in made.splits.values()) == 99
    assert list(made.columns) == ["age", "job", "over_50k"]


def test_the_log_of_the_shop_is_prepared(tmp_path):
    _, shop, _ = blocks("docs/guides/data.md", "yaml")
    (tmp_path / "shop.yaml").write_text(shop)
    (tmp_path / "products.csv").write_text("product,brand,price\np0,b,3\np1,c,30\n")
    rows = range(200)
    log = {
        "visitor": [f"v{row % 7}" for row in rows],
        "product": [f"p{row % 2}" for row in rows],
        "seen_at": [datetime(2026, 3, 1 + row // 20, row % 20) for row in rows],
        "cart": [row % 3 == 0 for row in rows],
        "purchase": [row % 6 == 0 for row in rows],
    }
    pq.write_table(pa.table(log), tmp_path / "views_1.parquet")
    made = prepare(None, tmp_path / "shop.yaml", tmp_path / "records")
    assert {name: split.rows for name, split in made.splits.items()} == {
        "train": 160,
        "validation": 20,
        "test": 20,
    }
    assert made.columns["bought"].shape == (10,)


def test_the_example_of_the_layers_runs(capsys):
    *_, script = blocks("docs/reference/layers.md", "python")
    execute(script)
    assert capsys.readouterr().out.splitlines() == [
        f"{name} ['long_view', 'click', 'like'] (32, 1)" for name in ("HoME", "MMoE")
    ]


def test_the_example_of_the_diagnosis_runs(capsys):
    (script,) = blocks("docs/guides/diagnosis.md", "python")
    execute(script)
    first, second, *verdicts = capsys.readouterr().out.splitlines()
    assert first == "(1000, 64) (1000, 4)"
    assert second.startswith("shared/")
    assert "collapse False No expert has collapsed" in verdicts
    assert "underfitting False The architecture has no experts of tasks" in verdicts


def test_the_example_of_the_metrics_runs():
    (script,) = blocks("docs/reference/metrics.md", "python")
    execute(script)


@pytest.mark.slow
def test_the_example_of_loss_weighting_runs():
    (script,) = blocks("docs/guides/loss_weighting.md", "python")
    model = execute(script)["model"]
    model.compile(optimizer="adam", run_eagerly=True)  # tracing takes longer
    users = np.arange(8)
    labels = {task: np.ones((8, 1), np.float32) for task in model.tasks}
    loss = model.fit(users, labels, batch_size=8, verbose=0).history
    assert {"loss", "click_loss_weight"} <= set(loss)


def test_the_example_of_tfrs_trains(tmp_path):
    *_, script = blocks("docs/guides/tfrs.md", "python")
    script += """
import numpy as np

random = np.random.default_rng(0)
features = {
    "dense_features": random.normal(size=(64, 5)).astype("float32"),
    "sparse_features": {name: random.integers(0, 1000, 64) for name in ("u", "v")},
}
labels = {task: random.integers(0, 2, 64).astype("float32") for task in model.tasks}
data = tf.data.Dataset.from_tensors((features, labels)).repeat(20)
losses = model.fit(data, epochs=2, verbose=0).history["loss"]
assert losses[1] < losses[0], losses
assert all(f"{task}_auc" in model.metrics_names for task in model.tasks)
"""
    run("-c", script, cwd=tmp_path, TF_USE_LEGACY_KERAS="1")


@pytest.mark.parametrize(
    "file", ["docs/guides/loss_weighting.md", "docs/guides/serving.md"]
)
def test_the_parts_of_a_configuration_fit_that_of_the_demo(tmp_path, file):
    yaml = YAML(typ="safe", pure=True)
    demo = yaml.load(ROOT / "pipelines" / "kuairand.yaml")
    for text in blocks(file, "yaml"):
        for section, values in yaml.load(text).items():
            demo[section] = {**demo.get(section, {}), **values}
    yaml.dump(demo, tmp_path / "config.yaml")
    load_config(tmp_path / "config.yaml")


def test_the_changes_of_the_comparison_page_fit_the_demo():
    (text,) = blocks("docs/benchmarks/comparison.md", "yaml")
    changes = YAML(typ="safe").load(text)
    config = load_config(ROOT / "pipelines" / "kuairand.yaml")
    names = "home+*,mmoe,mmoe+narrow,mmoe+fast+small"
    assert names in (ROOT / "docs" / "benchmarks" / "comparison.md").read_text()
    assert len(compared_models(names.split(","), changes)) == 7
    narrow = override_config(config, changes["narrow"]).features
    assert {narrow[n].width for n in ("user_id", "video_id", "author_id")} == {8}
    for change in changes.values():
        override_config(config, change)


def test_the_split_of_the_page_on_new_days_fits_the_demo():
    (text,) = blocks("docs/guides/day_by_day.md", "yaml")
    values = YAML(typ="safe").load(text)
    changes = {"data.split": values["data"]["split"], "training.epochs": 1}
    config = load_config(ROOT / "pipelines" / "kuairand.yaml", changes)
    assert config.data.split.test == "none"


def test_the_configuration_of_the_regression_page_fits_the_demo():
    text, _ = (*blocks("docs/guides/regression.md", "yaml"), None)
    given = YAML(typ="safe").load(text)
    config = load_config(
        ROOT / "pipelines" / "kuairand.yaml",
        {
            "data.columns.watch_time": given["data"]["columns"]["watch_time"],
            "tasks.watch_time": given["tasks"]["watch_time"],
            "serving.score": given["serving"]["score"],
        },
    )
    assert config.regression_tasks == ["watch_time"]


@pytest.mark.slow
def test_the_model_of_the_regression_page_learns():
    (script,) = blocks("docs/guides/regression.md", "python")
    names = execute(script)
    assert names["seconds"].shape == (512, 1)
    assert names["seconds"].min() >= 0


def test_the_spaces_of_the_tuning_page_fit_the_demo():
    given, other = (
        make_space(YAML(typ="safe").load(text))
        for text in blocks("docs/guides/tuning.md", "yaml")
    )
    assert given == NETWORK_SPACE
    config = load_config(ROOT / "pipelines" / "kuairand.yaml")
    for key, one in other.items():
        for value in one.ends:
            override_config(config, {key: value})


@pytest.mark.slow
def test_the_client_of_the_serving_page_ranks(demo):
    folder, _ = demo
    (export,) = folder.glob("saved_models/*/1")
    script, last = blocks("docs/guides/serving.md", "python")[0].strip().rsplit("\n", 1)
    signature = tf.saved_model.load(export).signatures["rank"]
    command = [sys.executable, ROOT / "tests/support/serving.py", export, "small"]
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            port, _ = server.stdout.readline().split()
            # The demo of these tests has another name.
            script = script.replace('"demo"', '"small"')
            names = execute(script.replace(":8500", f":{port}"))
            shown = names["columns"]
            for name, spec in signature.structured_input_signature[1].items():
                if name in shown:
                    assert shown[name].dtype == spec.dtype, name
                    assert spec.shape.is_compatible_with(shown[name].shape), name
                else:
                    first = 1 if name.startswith("user_") else 3
                    shape = (first, *spec.shape[1:])
                    shown[name] = tf.zeros(shape, spec.dtype).numpy()
            exec(last, names)
        finally:
            server.kill()
    assert names["clicks"].shape == (3,)
    assert ((names["clicks"] > 0) & (names["clicks"] < 1)).all()


def shell_commands():
    """The lines of the indented blocks, with their file; comments left out."""
    for path in (
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "saved_models" / "README.md",
    ):
        text = path.read_text("utf-8").replace("\\\n", " ")
        text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        for line in re.findall(r"^    (\S.*)$", text, re.MULTILINE):
            yield path.relative_to(ROOT), re.sub(r" #.*", "", line)


def check_options(words):
    """That the words after `home-tf` are a command and options of it."""
    if "--" in words:  # of `launch`
        check_options(words[words.index("--") + 1 :])
        words = words[: words.index("--")]
    command = get_command(make_app())
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    known = {name for option in command.params for name in option.opts}
    assert {word for word in words if word.startswith("--")} <= known, words


def test_the_commands_of_the_docs_are_commands():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    checked = set()
    for file, line in shell_commands():
        program, *words = line.split()
        name = Path(program).name
        if name == "home-tf":
            check_options(words)
        elif name == "python":
            assert (ROOT / words[0]).is_file(), (file, line)
        elif name == "make":
            assert words[0] in targets, (file, line)
        else:
            continue
        checked.add((str(file), name))
    assert {
        ("docs/reference/command_line.md", "home-tf"),
        ("README.md", "make"),
    } <= checked
    assert {
        ("docs/guides/serving.md", "home-tf"),
        ("docs/guides/serving.md", "python"),
    } <= checked


@pytest.mark.slow
def test_a_new_architecture_is_one_file_and_one_line(tmp_path, write_config, prepared):
    """As CONTRIBUTING shows it, in a copy of the package."""
    script = ROOT / "tests/support/new_architecture.py"
    (file,) = blocks("CONTRIBUTING.md", "python")
    (line,) = blocks("CONTRIBUTING.md", "text")
    shutil.copytree(ROOT / "home_tf", tmp_path / "home_tf")
    (tmp_path / "home_tf" / "layers" / "averaged.py").write_text(file)
    table = tmp_path / "home_tf" / "config" / "architecture.py"
    before, after = table.read_text().split("    HOME: HoME,\n")
    importing, entry = line.split("\n", 1)
    table.write_text(f"{importing}\n{before}    HOME: HoME,\n{entry}{after}")
    done = run(script, write_config(), prepared, cwd=tmp_path, PYTHONPATH=".")
    assert done.stdout.split() == ["Averaged", "3", "swish"]


def test_the_example_configuration_is_one(tmp_path):
    (text,) = blocks("docs/reference/config.md", "yaml")
    (tmp_path / "config.yaml").write_text(text)
    assert load_config(tmp_path / "config.yaml").training.epochs == 3
