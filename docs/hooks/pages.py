"""Pages that lie outside docs/, and what MkDocs takes otherwise than GitHub."""

import re
from pathlib import Path

from mkdocs.structure.files import File

PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}


def on_files(files, config):
    """Adds the pages, whose links to docs/ begin there."""
    root = Path(config.config_file_path).parent
    for name, uri in PAGES.items():
        text = (root / name).read_text(encoding="utf-8").replace("](docs/", "](")
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown, page, **_):
    """Links the pages as the repository links the files, and leaves intervals alone."""
    up = "../" * page.file.src_uri.count("/")
    for name, uri in PAGES.items():
        markdown = markdown.replace(f"]({up}../{name}", f"]({up}{uri}")
    # "[-0.1, +0.2] [-0.2, +0.3]" in a table is no link.
    return re.sub(r"(?<=[\d%]\]) (?=\[[-+.\d])", r" \\", markdown)
