from types import SimpleNamespace

import pytest
from ruamel.yaml import YAML

from home_tf.config import load_config
from home_tf.init import init
from home_tf.prepare import prepare


@pytest.fixture
def first(tmp_path, monkeypatch):
    """Writes a first configuration for files of the test's folder, and reads it."""
    monkeypatch.chdir(tmp_path)

    def write(*files, out="config.yaml", **given):
        draft = init(files, out, **given)
        text = (tmp_path / out).read_text()
        values = YAML(typ="safe", pure=True).load(text)
        config = load_config(out)
        return SimpleNamespace(draft=draft, text=text, values=values, config=config)

    return write


@pytest.fixture
def prepare_it(tmp_path):
    """Prepares what a configuration of the test's folder names, as it is."""

    def run(out="config.yaml"):
        made = prepare(None, tmp_path / out, tmp_path / "records", shards=1)
        return {name: split.rows for name, split in made.splits.items()}

    return run
