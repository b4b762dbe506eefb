"""The API reference: every public name is on a page, and every page on the site."""

import ast
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "reference" / "api"
PACKAGE = ast.parse((ROOT / "home_tf" / "__init__.py").read_text(encoding="utf-8"))
(SUBPACKAGES,) = (
    ast.literal_eval(node.value)
    for node in PACKAGE.body
    if isinstance(node, ast.Assign) and node.targets[0].id == "_SUBPACKAGES"
)


def public_names(subpackage):
    """What its `__init__` imports under its own name, `from x import y as y`."""
    folder = ROOT / "home_tf" / subpackage
    source = (folder / "__init__.py").read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name == alias.asname:
                    yield alias.name


def directive(subpackage, name):
    """How a page says it. Alone, the name of a function may be that of its module."""
    path = f"home_tf.{subpackage}.{name}"
    module = ROOT / "home_tf" / subpackage / f"{name}.py"
    return f"{path}.{name}" if module.exists() else path


def site_pages(entry):
    """The pages below an entry of the navigation, in its order."""
    if isinstance(entry, str):
        return [entry]
    below = entry.values() if isinstance(entry, dict) else entry
    return [page for one in below for page in site_pages(one)]


@pytest.mark.parametrize("subpackage", SUBPACKAGES)
def test_every_public_name_is_on_the_page_of_its_subpackage(subpackage):
    text = (PAGES / f"{subpackage}.md").read_text(encoding="utf-8")
    shown = re.findall(r"^::: (\S+)$", text, re.MULTILINE)
    names = list(public_names(subpackage))
    assert names
    assert sorted(shown) == sorted(directive(subpackage, name) for name in names)


def test_every_page_is_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    # The tags `!ENV` and `!!python` are MkDocs's.
    navigation = YAML(typ="safe").load(text[text.index("\nnav:") :])["nav"]
    there = {page for page in site_pages(navigation) if "/api/" in page}
    files = {f"reference/api/{path.name}" for path in PAGES.glob("*.md")}
    assert there == files
    assert {path.stem for path in PAGES.glob("*.md")} == {"index", *SUBPACKAGES}
