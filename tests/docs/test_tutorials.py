"""The tutorials, block by block, as a reader would run them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from home_tf.backend import IS_LEGACY
from home_tf.config import load_config

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorials" / "your_own_logs.md"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        IS_LEGACY, reason="the commands pick their Keras: once is enough"
    ),
]


def blocks(file):
    text = file.read_text(encoding="utf-8")
    return re.findall(r"```(python|sh|yaml)\n(.*?)```", text, re.DOTALL)


def run(script, folder):
    """Runs commands, with the installed `home-tf`, or says what they printed."""
    programs = Path(sys.executable).parent
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path, "COLUMNS": "80", "NO_COLOR": "1"},
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def change(file, changes):
    """Changes keys of a configuration, as a reader does."""
    yaml = YAML()
    content = yaml.load(file)
    for section, keys in yaml.load(changes).items():
        content[section].update(keys)
    yaml.dump(content, file)


def test_every_tutorial_has_a_test():
    assert sorted((ROOT / "docs" / "tutorials").iterdir()) == [TUTORIAL]


def test_your_own_logs(tmp_path):
    names, printed = iter(("make_logs.py", "rank.py")), []
    for language, text in blocks(TUTORIAL):
        if language == "python":
            (tmp_path / next(names)).write_text(text)
        elif "tasks:" in text:
            (tmp_path / "by_hand.yaml").write_text(text)
            run("home-tf prepare --config by_hand.yaml --out by_hand", tmp_path)
            assert len(text.splitlines()) == 22
        elif language == "yaml":
            change(tmp_path / "shop.yaml", text)
        else:
            printed.append(run(text, tmp_path))
    config = load_config(tmp_path / "shop.yaml")
    assert list(config.tasks) == ["cart", "purchase"]
    init, described, ranked = printed[1], printed[2], printed[-1]
    assert "labels    cart (23.49%), purchase (9.63%)" in init
    # The page shows what the commands print, as far as it does not depend on training.
    page = TUTORIAL.read_text()
    described = described.split("wrote records\n")[1]
    for line in [*init.splitlines()[:7], *described.splitlines()]:
        assert line.rstrip() in page, line
    prices = [float(line.split()[1]) for line in ranked.splitlines()]
    assert len(prices) == 5
    assert prices == sorted(prices, reverse=True)
    assert 0 < prices[-1] < prices[0] < 1
