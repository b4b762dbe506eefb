"""Runs the tutorials and shows what they print and draw.

A tutorial is a Jupytext Markdown file with a kernelspec in its front matter. Its
`python` and `bash` cells run from top to bottom in a new kernel and an empty folder,
with the programs of this environment on PATH; a cell that fails stops the build. The
site has the page with the outputs below the cells, and the same as a notebook to
download. Results are kept in `.cache/` for as long as neither the tutorial nor the
installed library changes.
"""

import base64
import hashlib
import importlib.util
import os
import re
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
from mkdocs.exceptions import PluginError
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

log = get_plugin_logger("tutorials")

TIMEOUT_S = 900
PICTURES = {"image/svg+xml": "svg", "image/png": "png"}
# IPython asks the programs that it starts for colours and moving bars.
PLAIN = (
    "[__import__('os').environ.pop(k, 0) for k in ('FORCE_COLOR', 'CLICOLOR_FORCE')];"
)
# What Jupytext makes of a cell of Bash.
SHELL = re.compile(r"\A%%(bash|sh)\n")
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x08")


def on_files(files, config):
    """Replaces each tutorial by its page with outputs; adds pictures and notebook."""
    for file in list(files.documentation_pages()):
        if not file.src_uri.startswith("tutorials/"):
            continue
        text = file.content_string
        notebook = jupytext.reads(text, fmt="md")
        if "kernelspec" not in notebook.metadata:
            raise PluginError(
                f"{file.src_uri}: the front matter has no kernelspec below `jupyter`"
            )
        if config.extra["execute"]:
            cache = Path(config.config_file_path).parent / ".cache" / "tutorials"
            notebook = _execute_once(notebook, file.src_uri, text, cache)
        stem = file.src_uri.removesuffix(".md")
        page, pictures = _render(notebook, Path(stem).name)
        contents = {
            file.src_uri: page,
            f"{stem}.ipynb": nbformat.writes(notebook),
            **{f"tutorials/{name}": content for name, content in pictures.items()},
        }
        files.remove(file)
        for uri, content in contents.items():
            files.append(File.generated(config, uri, content=content))
    return files


def _execute_once(notebook, name, text, cache):
    """The notebook with its outputs, from the cache if nothing has changed."""
    folder = Path(importlib.util.find_spec("home_tf").origin).parent
    digest = hashlib.sha256(text.encode())
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.read_bytes())
    kept = cache / f"{Path(name).stem}-{digest.hexdigest()[:16]}.ipynb"
    if not kept.exists():
        log.info("running %s", name)
        _execute(notebook, name)
        cache.mkdir(parents=True, exist_ok=True)
        for old in cache.glob(f"{Path(name).stem}-*.ipynb"):
            old.unlink()
        nbformat.write(notebook, kept)
    return nbformat.read(kept, as_version=4)


def _execute(notebook, name):
    """Runs the cells. Any line of a `bash` cell that fails is an error."""
    sources = [cell.source for cell in notebook.cells]
    for cell in notebook.cells:
        cell.source = SHELL.sub("%%bash -e\n", cell.source)
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {
        **os.environ,
        "PATH": programs,
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=TIMEOUT_S,
            resources={"metadata": {"path": folder}},
            extra_arguments=[f"--IPKernelApp.exec_lines={PLAIN}", "--log-level=ERROR"],
        )
        try:
            client.execute(env=environment)
        except CellExecutionError as error:
            raise PluginError(f"{name}: a cell failed\n{error}") from None
    for cell, source in zip(notebook.cells, sources, strict=True):
        cell.source = source


def _render(notebook, stem):
    """The page in Markdown, and its pictures by name."""
    parts, pictures = [], {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            parts.append(cell.source)
            continue
        shell = SHELL.match(cell.source)
        source = SHELL.sub("", cell.source)
        parts.append(_fence("bash" if shell else "python", source))
        for output in _join_printed(cell.get("outputs", ())):
            parts.append(_render_output(output, stem, pictures))
    title, body = parts[0].split("\n", 1)
    download = f"[Download this page as a notebook]({stem}.ipynb)"
    return "\n\n".join([title, download, body.strip(), *parts[1:]]), pictures


def _join_printed(outputs):
    """The outputs without stderr, and what was printed in one piece where it is one."""
    joined = []
    for output in outputs:
        if output.output_type != "stream":
            joined.append(output)
        elif output.name == "stdout":
            before = ""
            if joined and joined[-1].output_type == "stream":
                before = joined.pop().text
            joined.append(nbformat.v4.new_output("stream", text=before + output.text))
    return joined


def _render_output(output, stem, pictures):
    """What the reader sees of an output."""
    if output.output_type == "stream":
        return _printed(output.text)
    data = output.get("data", {})
    for kind, ending in PICTURES.items():
        if kind in data:
            name = f"{stem}-{len(pictures) + 1}.{ending}"
            content = data[kind]
            pictures[name] = base64.b64decode(content) if ending == "png" else content
            return f"![Output of the cell above]({name})"
    if "text/markdown" in data:
        return data["text/markdown"]
    if "text/html" in data:
        html = re.sub(r"<style.*?</style>", "", data["text/html"], flags=re.DOTALL)
        # The site has a style for tables of no class.
        return re.sub("<table[^>]*>", "<table>", html)
    return _printed(data["text/plain"])


def _printed(text):
    """Printed text, with progress bars as they look at last."""
    lines = CONTROL.sub("", text).rstrip().split("\n")
    return _fence("{ .text .output }", "\n".join(_last(line) for line in lines))


def _last(line):
    """What is left of a line that carriage returns wrote over."""
    return next((part for part in reversed(line.split("\r")) if part), "").rstrip()


def _fence(info, text):
    ticks = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return f"{ticks}{info}\n{text}\n{ticks}"
