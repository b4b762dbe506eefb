"""The report of a description: one page that needs no other file, and its plots."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from support.page import Page

from home_tf.backend import IS_LEGACY
from home_tf.data import Column, RecordWriter
from home_tf.description import describe, find_concerns
from home_tf.description.save_description import save_description
from home_tf.errors import HomeError

pytestmark = pytest.mark.skipif(
    IS_LEGACY, reason="there is no Keras in the report: once is enough"
)

SECTIONS = [
    "overview",
    "labels",
    "drift",
    "numbers",
    "vocabularies",
    "features",
    "how-to-read",
]


@pytest.fixture(scope="module")
def found(data):
    return describe(data)


@pytest.fixture(scope="module")
def report(found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports") / "report"
    save_description(found, folder)
    return folder


@pytest.fixture(scope="module")
def text(report):
    return (report / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_the_page_has_every_section_and_concern(found, page):
    assert [one["id"] for one in page.all("section")] == SECTIONS
    facts = "20,000 rows in train 4,000 rows in validation 4,000 rows in test"
    assert f"{facts} 1 label 5 features" in page.text
    concerns = find_concerns(found)
    assert len(concerns) == 4
    for name, why in concerns.items():
        assert f"{name} {why}" in page.text


def test_every_plot_is_a_file_and_in_the_page(report, page):
    plots = sorted(path.name for path in (report / "plots").iterdir())
    assert plots == [
        "distributions.svg",
        "drift.svg",
        "out-of-vocabulary.svg",
        "rates.svg",
        "rows.svg",
    ]
    for name in plots:
        ElementTree.parse(report / "plots" / name)
    images = [one for one in page.all("svg") if one.get("role") == "img"]
    assert len(images) == len(plots)
    assert all(one["aria-label"] for one in images)
    for words in (
        "positives among the rows with a label",
        "population stability index against the training rows",
        "values that are not in any training row",
        "share of rows",
    ):
        assert words in page.text


def test_numbers_are_those_of_the_description(found, page):
    click = found.labels["click"]["test"]
    minus = "\N{MINUS SIGN}"
    change = f"{click.change:+.2%}".replace("-", minus)
    assert f"click test 10.0% {click.positives:,} {click.rate:.2%}" in page.text
    assert change in page.text
    user = found.features["user"]
    assert f"user id 10 0.0% 0.0% 0.0% 0.0% 0.0% {_share(user, 'test')}" in page.text


def _share(feature, split):
    return f"{feature.splits[split].out_of_vocabulary:.1%}"


def test_nothing_is_loaded(text, page):
    assert "http" not in text
    assert not {"script", "img", "iframe", "object"} & {n for n, _ in page.elements}
    addresses = [one.get("href", one.get("src")) for _, one in page.elements]
    assert {one[0] for one in addresses if one and one != "data:,"} == {"#"}
    assert text.count("url(") == text.count("url(#")


def test_machines_read_the_same(found, report):
    content = json.loads((report / "description.json").read_text())
    assert content["format"] == "home_tf.description"
    assert content["rows"] == {"train": 20_000, "validation": 4_000, "test": 4_000}
    drift = content["features"]["price"]["splits"]["test"]["drift"]
    assert drift == found.features["price"].splits["test"].drift
    assert content["needs_attention"] == find_concerns(found)


def test_a_dataset_with_next_to_nothing_has_a_page(tmp_path):
    with RecordWriter(tmp_path / "data", {"id": Column("int64")}, shards=1) as out:
        out.write("test", {"id": np.array([1, 2])})
    found = describe(tmp_path / "data")
    save_description(found, tmp_path / "report")
    text = Page((tmp_path / "report" / "report.html").read_text()).text
    for words in (
        "No column needs attention.",
        "No column has both 0 and 1.",
        "No feature has a vocabulary or quantiles to compare with.",
        "No column of numbers has quantiles in statistics.json.",
        "No vocabulary has 50 values or more.",
    ):
        assert words in text


def test_only_a_folder_of_its_own_is_replaced(found, report, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(HomeError, match="which contains something else"):
        save_description(found, tmp_path)
    before = (report / "report.html").read_bytes()
    save_description(found, report)
    assert (report / "report.html").read_bytes() == before


@pytest.mark.slow
def test_a_large_dataset_fits(tmp_path):
    """Of 150 numbers 40 have a bar and a panel, and all are in the tables."""
    names = [f"number_{n}_with_a_name_that_goes_on_and_on" for n in range(150)]
    columns = {name: Column("float32") for name in names}
    random = np.random.default_rng(0)
    folder = tmp_path / "data"
    with RecordWriter(folder, columns, shards=1) as out:
        for split in ("train", "test"):
            rows = {n: random.normal(0, 1, 500).astype(np.float32) for n in names}
            out.write(split, rows)
    quantiles = list(np.linspace(-2, 2, 101))
    statistics = {name: {"quantiles": quantiles} for name in names}
    (folder / "statistics.json").write_text(json.dumps(statistics))
    save_description(describe(folder), tmp_path / "report")
    text = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert len(text.encode()) < 1e6
    assert "Drift, the first 40 of 150" in text
    assert text.count(f'<th scope="row">{names[149]}</th>') == 3
