"""Which part of the package may import which, read from the sources."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "home_tf"

# The rooms of the library from the ground up, with all that each may import.
FLOORS = {
    "errors": set(),
    "types": set(),
    "extras": {"errors"},
    "files": {"errors", "extras"},
    "hints": {"errors"},
    "backend": {"extras", "types"},
    "layers": {"backend", "errors", "types"},
    "losses": {"backend"},
    "metrics": {"backend", "errors", "losses"},
    "optimizers": {"backend"},
    "loss_weighting": {"backend", "errors"},
    "evaluation": {"errors", "extras"},
    "report": set(),
    "data_service": {"errors"},
    "data": {"data_service", "errors", "files", "hints"},
    "engines": {"data", "errors", "extras", "files"},
}


def modules():
    """`{dotted name: path}` of every module."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


def imports(path):
    """What a module imports, wherever in it, as dotted names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(name):
    """`layers` of `home_tf.layers.home.HoME`; "" of another package."""
    package, _, rest = name.partition(".")
    return rest.partition(".")[0] if package == "home_tf" else ""


MODULES = modules()


def test_imports_are_seen_wherever_they_are(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "import a.b\ndef f():\n    from home_tf.lab import bench\n"
        "    from home_tf import lab\n"
    )
    found = list(imports(path))
    assert found == ["a.b", "home_tf.lab.bench", "home_tf.lab"]
    assert [room(name) for name in found] == ["", "lab", "lab"]
    assert len(MODULES) > 100


def test_the_library_never_imports_the_laboratory():
    """The program joins the commands of both; nothing else may."""
    found = {
        name
        for name, path in MODULES.items()
        if room(name) != "lab" and "lab" in map(room, imports(path))
    }
    assert found == {"home_tf.__main__"}


@pytest.mark.parametrize("name", FLOORS)
def test_a_floor_stands_on_those_below(name):
    mine = {m: path for m, path in MODULES.items() if room(m) == name}
    assert mine
    for module, path in mine.items():
        used = {room(imported) for imported in imports(path)} - {"", name}
        assert used <= FLOORS[name], module
