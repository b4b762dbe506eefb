"""The guides that are tested as a whole, block after block."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
GUIDES = ("calibration", "labels", "large_vocabularies", "migration", "rare_tasks")
PAGES = (
    *(f"docs/guides/{name}.md" for name in GUIDES),
    "docs/reference/api/index.md",
)


class Block(NamedTuple):
    """A fenced block: its language, its title if it has one, and its text."""

    language: str
    title: str | None
    text: str


def blocks_of(page):
    """The fenced blocks of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(r'^```(\w+)(?: title="(.*?)")?\n(.*?)^```$', text, re.M | re.S)
    return [Block(language, title or None, body) for language, title, body in found]
