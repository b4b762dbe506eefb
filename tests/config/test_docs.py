"""docs/reference/config.md: what it says of every key is what the constructors say."""

import re
from pathlib import Path

from home_tf.config.docs import SECTIONS, meanings_of, write_tables
from home_tf.config.keys import keys_of

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "config.md"


def test_the_page_has_the_tables_that_the_constructors_give():
    page = PAGE.read_text("utf-8")
    assert write_tables(page) == page, (
        "run `python -m home_tf.config.docs docs/reference/config.md`"
    )


def test_the_page_has_a_table_for_every_section():
    markers = re.findall(r"<!-- keys: (.*?) -->", PAGE.read_text("utf-8"))
    assert sorted(markers) == sorted(SECTIONS)


def test_every_argument_has_a_meaning():
    for name, constructor in SECTIONS.items():
        assert set(keys_of(constructor)) <= set(meanings_of(constructor)), name
