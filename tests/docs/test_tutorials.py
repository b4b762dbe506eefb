"""The tutorials, cell by cell, as a reader would run them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from home_tf.backend import IS_LEGACY

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        IS_LEGACY, reason="the tutorials pick their Keras: once is enough"
    ),
]

# A notebook in one process: its Python cells in order, shell cells in a shell.
RUN = r"""
import linecache, re, subprocess, sys

text, claims = (open(name, encoding="utf-8").read() for name in sys.argv[1:])
names = {"__name__": "page", "text": text}
cells = re.findall(r"^```(python|bash)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
for number, (language, cell) in enumerate([*cells, ("python", claims)]):
    if language == "bash":
        subprocess.run(["bash", "-e", "-c", cell], check=True)
        continue
    name = f"cell {number}"  # for tracebacks, and for AutoGraph
    linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
    exec(compile(cell, name, "exec"), names)
"""

# What a page says that its cells show, by the names that they leave.
CLAIMS = {
    "add_to_tfrs": """
assert list(results) == ["shared bottom", "HoME", "single layers", "ranking model"]
assert all(0.65 < auc < 0.9 for one in results.values() for auc in one["auc"].values())
for task in TASKS:
    one, other = (results[name]["auc"][task] for name in ("HoME", "ranking model"))
    assert abs(one - other) < 0.02, task
assert np.isnan(after.compute_loss(late))
assert np.isfinite(ready.compute_loss(late))
""",
    "expert_report": """
def worst(found):
    return max(one["dead_dimensions"] for one in found["experts"].values())

assert worst(mmoe) > 0.2
assert worst(alive) == worst(home) == 0
at_first = [v for n, v in mmoe["curves"][0]["values"].items() if "/dead_dim" in n]
assert sum(at_first) / len(at_first) < worst(mmoe) / 2
collapsed = [found["verdicts"][0]["found"] for found in (mmoe, alive, home)]
assert collapsed == [True, False, False]
assert all(g["largest_weight"] < 0.7 for g in mmoe["gates"].values())
for task in ("save", "share", "subscribe"):
    assert home["metrics"]["auc"][task] > mmoe["metrics"]["auc"][task]
assert "task/acting/0" not in home["gates"]["task/reading/read"]["weights"]
assert Path("compared/report.html").is_file()
assert not collapse.is_found
""",
    "keras_model": """
assert rates["long_view"] > rates["click"] > rates["like"] > rates["follow"]
assert 100 < y_train["follow"].sum() < 1000
assert 20 < y_valid["follow"].sum() < 100
for task in ("long_view", "click"):
    assert home["auc"][task] > 0.65 and mmoe["auc"][task] > 0.65
low, high = np.transpose([home["auc_interval"][task] for task in TASKS])
assert (high - low)[3] > 3 * (high - low)[0]
""",
    "serve_and_rank": """
assert {"predict", "rank", "rank_weighted"} <= set(model.signatures)
assert served["score"].shape == (150,)
np.testing.assert_allclose(
    answer["score"], answer["finish"] * answer["save"] ** 0.5, rtol=1e-4
)
assert sizes["rank"][-1] < 0.7 * sizes["predict"][-1]
""",
    "several_machines": """
for name in one:
    np.testing.assert_allclose(two[name], one[name], atol=1e-4, err_msg=name)
assert {len(history(run)) for run in runs} == {2}
for found in last.values():
    for name, value in last["one process"].items():
        assert abs(found[name] - value) < 3e-3, name
assert len(list(Path("stopped/checkpoints").glob("step-*"))) == 2
assert [path.name for path in sorted(Path("two").iterdir())] == [
    path.name for path in sorted(Path("one").iterdir())
]
""",
    "your_own_logs": r"""
assert list(config["tasks"]) == ["cart", "purchase"]
assert list(config["data"]["tables"]) == ["products"]
assert "#" in file.read_text()
best_of_all = probabilities["purchase"].numpy()[best]
assert (np.diff(best_of_all) <= 0).all()
assert 0 < best_of_all[-1] < best_of_all[0] < 1

import re, subprocess

shown, by_hand = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
for section, keys in yaml.load(shown).items():
    for key, value in keys.items():
        assert config[section][key] == value, key
assert len(by_hand.splitlines()) == 22
Path("by_hand.yaml").write_text(by_hand)
command = ["home-tf", "prepare", "--config", "by_hand.yaml", "--out", "by_hand"]
subprocess.run(command, check=True)
""",
}


def test_every_tutorial_has_claims():
    assert {path.stem for path in TUTORIALS.glob("*.md")} == set(CLAIMS)


@pytest.mark.parametrize("page", CLAIMS)
def test_a_tutorial_is_a_notebook(page):
    _, head, text = (TUTORIALS / f"{page}.md").read_text("utf-8").split("---\n", 2)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    form = {"extension": ".md", "format_name": "markdown"}
    # Jupytext reads no other form in Markdown, and takes it for text without a word.
    assert YAML(typ="safe").load(head) == {
        "jupyter": {"jupytext": {"text_representation": form}, "kernelspec": kernel}
    }
    fences = re.findall(r"^```(.*)$", text, re.MULTILINE)
    assert set(fences[::2]) <= {"python", "bash", "yaml", "text"}
    assert set(fences[1::2]) == {""}


@pytest.mark.parametrize("page", CLAIMS)
def test_a_tutorial_runs_and_shows_what_it_says(page, tmp_path):
    programs = Path(sys.executable).parent
    (tmp_path / "run.py").write_text(RUN)
    (tmp_path / "claims.py").write_text(CLAIMS[page])
    work = tmp_path / "work"
    work.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "../run.py", TUTORIALS / f"{page}.md", "../claims.py"],
        cwd=work,
        capture_output=True,
        text=True,
        env={
            **environment,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "MPLBACKEND": "agg",
            "COLUMNS": "80",
            "NO_COLOR": "1",
        },
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
