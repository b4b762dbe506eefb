"""The report: one page that needs no other file, and its plots."""

import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from support.diagnoses import make_diagnosis
from support.page import Page

from home_tf.backend import IS_LEGACY
from home_tf.diagnosis.report import side_by_side, write_report
from home_tf.diagnosis.report.overview import JUDGED, write_limit
from home_tf.diagnosis.report.pictures import gate_pictures
from home_tf.diagnosis.verdicts import THRESHOLDS, judge
from home_tf.errors import HomeError

pytestmark = pytest.mark.skipif(
    IS_LEGACY, reason="there is no Keras in the report: once is enough"
)

SECTIONS = [
    "overview",
    "gates",
    "sources",
    "experts",
    "feature-gates",
    "importance",
    "tasks",
    "training",
    "how-to-read",
]
UNHAPPY = """<script>alert("1 & 'one'")</script>"""


def write(folder, **diagnoses):
    folder.mkdir()
    write_report(diagnoses, folder)
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def diagnosis():
    return make_diagnosis(importance=4)


@pytest.fixture(scope="module")
def report(diagnosis, tmp_path_factory):
    """The folder of a report."""
    folder = tmp_path_factory.mktemp("reports") / "report"
    write(folder, home=diagnosis)
    return folder


@pytest.fixture(scope="module")
def text(report):
    return (report / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def without_everything():
    """A diagnosis of one expert that all tasks share, which nobody monitored."""
    found = make_diagnosis(architecture="shared_bottom", experts=1, measurements=0)
    empty = ("gates", "self_gates", "feature_gates", "tasks", "use")
    found |= {name: {} for name in empty}
    found["experts"]["task/shared/0"] |= {"twin": None, "similarity": None}
    return found | {"verdicts": [verdict.to_json() for verdict in judge(found)]}


def test_the_page_has_every_verdict_and_every_section(diagnosis, page):
    assert len(diagnosis["verdicts"]) == 6
    assert {one["found"] for one in diagnosis["verdicts"]} == {True, False}
    for verdict in diagnosis["verdicts"]:
        assert verdict["sentence"] in page.text
        for case in verdict["cases"]:
            assert case["subject"] in page.text
    assert [one["id"] for one in page.all("section")] == SECTIONS
    links = [one["href"] for one in page.all("a")]
    assert links == ["#overview", *(f"#{name}" for name in SECTIONS)]
    facts = "HoME 4 tasks in 2 groups validation split, 12,345 rows seed 0 mean AUC"
    assert facts in page.text


def test_every_threshold_is_in_the_definitions(page):
    assert set(JUDGED) == set(THRESHOLDS)
    for name, figure in JUDGED.items():
        assert f"{figure.title} {write_limit(name, THRESHOLDS[name])}" in page.text
    assert "dead dimensions at least 10%" in page.text
    assert "own mass over an even share below 25%" in page.text


def test_advice_stands_where_something_was_found(diagnosis, page):
    for verdict in diagnosis["verdicts"]:
        advice = verdict["advice"].replace("`", "")
        assert (advice in page.text) == verdict["found"], verdict["kind"]


def test_every_plot_is_a_file_and_in_the_page(report, page):
    plots = sorted(path.name for path in (report / "plots").iterdir())
    assert plots == [
        "auc.svg",
        "calibration.svg",
        "curves-experts.svg",
        "curves-gates.svg",
        "expert-outputs.svg",
        "expert-traits.svg",
        "feature-gates.svg",
        "gate-contributions.svg",
        "gate-weights.svg",
        "gauc.svg",
        "importance.svg",
        "sources.svg",
    ]
    for name in plots:
        ElementTree.parse(report / "plots" / name)
    images = [one for one in page.all("svg") if one.get("role") == "img"]
    assert len(images) == len(plots)
    assert all(one["aria-label"] for one in images)
    ids = [one["id"] for _, one in page.elements if "id" in one]
    assert len(set(ids)) == len(ids)


def test_numbers_are_those_of_the_diagnosis(diagnosis, page):
    text = page.text
    expert, one = next(iter(diagnosis["experts"].items()))
    assert f"{expert} shared {one['mean']:.3g} {one['variance'] ** 0.5:.3g}" in text
    loss = diagnosis["importance"]["feature_0"]["auc"]["task_0"]
    shown = "{loss:+.4f} ({low:+.4f} to {high:+.4f})".format(**loss)
    assert shown.replace("-", "\N{MINUS SIGN}") in text
    auc = diagnosis["metrics"]["auc"]["task_0"]
    assert f"task_0 watch 12,345 678 {auc:.3f}" in text


def test_a_missing_figure_is_explained(tmp_path):
    text = Page(write(tmp_path / "report", bottom=without_everything())).text
    assert "The architecture has no gates over experts." in text
    assert "No gate of the architecture makes a task's representation." in text
    assert "The architecture has no feature gates" in text
    assert "Not measured. home-tf diagnose --run RUN --importance does" in text
    assert "Not measured. training.monitor_experts: 200 in the configuration" in text
    assert "Does not apply" in text


@pytest.mark.slow
def test_runs_stand_side_by_side(tmp_path):
    runs = {"a": make_diagnosis(), "b": make_diagnosis(architecture="mmoe", seed=1)}
    page = Page(write(tmp_path / "report", **runs))
    names = {path.stem for path in (tmp_path / "report" / "plots").iterdir()}
    assert {"expert-outputs-1-a", "expert-outputs-2-b", "calibration"} <= names
    assert "side_by_side" in names
    assert "Without feature gates: b." in page.text
    assert "feature-gates-1-a" in names
    assert "feature-gates-2-b" not in names
    for one in runs.values():
        for verdict in one["verdicts"]:
            assert verdict["sentence"] in page.text
    assert any(one.get("class") == "matrix" for one in page.all("table"))


def test_other_architectures_are_no_hindrance(tmp_path):
    runs = {"bottom": without_everything(), "home": make_diagnosis(importance=1)}
    assert "SharedBottom" in write(tmp_path / "report", **runs)


def test_names_cannot_break_the_page(diagnosis, tmp_path):
    def renamed(value):
        if isinstance(value, dict):
            return {renamed(k): renamed(v) for k, v in value.items()}
        if isinstance(value, list):
            return [renamed(one) for one in value]
        if isinstance(value, str):
            return value.replace("task_1", UNHAPPY).replace("feature_1", UNHAPPY)
        return value

    runs = {UNHAPPY: renamed(diagnosis), "../b": make_diagnosis(seed=1)}
    page = Page(write(tmp_path / "report", **runs))
    assert not page.all("script")
    assert UNHAPPY in page.text
    assert not [a for _, each in page.elements for a in each if a.startswith("on")]
    for path in (tmp_path / "report" / "plots").iterdir():
        assert "script" not in {one.tag for one in ElementTree.parse(path).iter()}
    assert {path.name for path in tmp_path.iterdir()} == {"report"}


def test_nothing_is_loaded(text, page):
    assert "http" not in text
    assert not {"script", "img", "iframe", "object"} & {n for n, _ in page.elements}
    addresses = [one.get("href", one.get("src")) for _, one in page.elements]
    assert {one[0] for one in addresses if one and one != "data:,"} == {"#"}
    assert text.count("url(") == text.count("url(#")


@pytest.mark.slow
def test_a_large_model_fits(tmp_path):
    size = {"tasks": 20, "experts": 60, "features": 80, "measurements": 200}
    diagnosis = make_diagnosis(**size, importance=80)
    text = write(tmp_path / "report", home=diagnosis)
    assert len(text.encode()) < 2.5e6
    # All in the tables, the most important in the plot.
    assert "the 30 most important of 80" in text
    assert text.count('<th scope="row">feature_79</th>') == 3


def test_the_same_diagnosis_is_the_same_report(report, diagnosis, tmp_path):
    write(tmp_path / "again", home=diagnosis)
    first, second = (
        {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.*")}
        for folder in (report, tmp_path / "again")
    )
    assert len(first) > 10
    assert first == second


def test_side_by_side_names_the_architectures():
    runs = {"mmoe": make_diagnosis(architecture="mmoe"), "mine": make_diagnosis()}
    figure = side_by_side(runs)
    texts = [text.get_text() for text in figure.texts]
    assert "MMoE" in texts
    assert "HoME (mine)" in texts
    width, height = figure.get_size_inches()
    assert 8 < width < 12
    assert 4 < height < 10


def test_side_by_side_of_no_gates():
    assert side_by_side({"bottom": without_everything()}).texts


def test_pictures_have_a_cell_for_each_weight():
    figures = make_diagnosis(tasks=2, experts=5)
    gates = figures["gates"]
    figures["gates"] = {
        **gates,
        "meta/shared": {**gates["task/watch/task_0"], "task": None},
    }
    pictures = gate_pictures(figures)
    assert list(pictures) == [
        "gates/weights",
        "gates/weights/meta",
        "gates/contributions",
        "gates/contributions/meta",
    ]
    picture = pictures["gates/weights"]
    assert picture.dtype == np.uint8
    assert picture.shape == (2 * 16, 5 * 16, 3)
    cells = picture[8::16, 8::16].astype(int)
    for row, gate in zip(cells, gates.values(), strict=True):
        seen = [name in gate["weights"] for name in figures["experts"]]
        assert (row[np.logical_not(seen)] == 255).all()
        # Viridis is the greener the larger.
        green = row[seen][:, 1]
        order = np.argsort(
            [gate["weights"][n] for n in figures["experts"] if n in gate["weights"]]
        )
        assert (np.diff(green[order]) >= 0).all()


def test_no_gates_are_no_pictures():
    assert gate_pictures(without_everything()) == {}


@pytest.mark.parametrize("package", ["jinja2", "matplotlib"])
def test_a_missing_package_names_the_extra(package, monkeypatch):
    reports = ("home_tf.diagnosis.report.", "home_tf.report.")
    for name in list(sys.modules):
        if name.startswith(reports) or name == package:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(HomeError, match=f"^{package} is not .* the extra `report`"):
        from home_tf.diagnosis.report import write_report  # noqa: F401
