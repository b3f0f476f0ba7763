"""The house: every room is in CONTRIBUTING.md, imports point one way (up its lists), and no modules import each other in a circle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TOPS = ("barlow_core", "study", "apps")
ROWS = re.findall(r"^\| (`[^|]+) \|", TEXT, flags=re.MULTILINE)
ROOMS = [room.rstrip("/") for row in ROWS for room in re.findall(r"`([^`]+)`", row) if room.rstrip("/") not in TOPS]
# Steps of the walk: `file` and what happens there, `name`.
STEPS = re.findall(r"`([\w./]+\.\w+)` `(\w+)`", TEXT)
# Names that look like the house's and are not: a class of Hugging Face's library, files of a run or a study.
ELSEWHERE = {"datasets.Dataset", "judgements.jsonl", "study.sqlite", "study.sqlite.lock"}


@cache
def modules() -> dict[str, Path]:
    """Every module of the house by the name that imports it; apps/ itself is on Streamlit's path, so its name is left out."""
    found = {}
    for top in TOPS:
        for file in sorted((ROOT / top).rglob("*.py")):
            parts = file.relative_to(ROOT / "apps" if top == "apps" else ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def room(module: str) -> str:
    """The room of a module, as CONTRIBUTING.md writes it: a folder or a file below one of the three tops."""
    return "/".join(modules()[module].relative_to(ROOT).parts[:2])


@cache
def nodes(file: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))


def imported(file: Path) -> Iterator[str]:
    """What a file imports, anywhere in it: also inside functions and for types only."""
    for node in nodes(file):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: write imports in full, not relative"
            assert node.module is not None
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            inside = [name for name in submodules if name in modules()]
            yield from inside
            if len(inside) < len(submodules):
                yield node.module


@cache
def arrows() -> dict[str, list[str]]:
    """Every module -> the modules of the house that it imports."""
    return {module: sorted({name for name in imported(file) if name in modules()}) for module, file in modules().items()}


def test_the_lists_have_every_room_once() -> None:
    there = {room(module) for module in modules()} - {f"{top}/__init__.py" for top in TOPS}
    assert there == set(ROOMS)
    assert len(ROOMS) == len(set(ROOMS))


def test_imports_point_up_the_lists() -> None:
    order = {name: place for place, name in enumerate(ROOMS)}
    below = len(ROOMS)  # the tops themselves: their __init__ may name everything, and nothing may need it
    wrong = [
        f"{module} imports {name}, a room below its own"
        for module, names in arrows().items()
        for name in names
        if room(name) != room(module) and order.get(room(name), below) >= order.get(room(module), below)
    ]
    assert not wrong


def test_pages_share_only_what_is_shared() -> None:
    """An app's script and folder know each other's parts and apps/shared, but nothing of another app."""
    homes = dict(re.findall(r"^\| `apps/(\w+)/`, `apps/(\w+)\.py` \|", TEXT, flags=re.MULTILINE))
    assert len(homes) == 5
    home = homes | {script: script for script in homes.values()}  # module or package at the top of apps/ -> its app
    for module, names in arrows().items():
        mine = home.get(module.split(".")[0])
        others = {name for name in names if home.get(name.split(".")[0], mine) != mine}
        assert not others, f"{module} imports parts of another app: {sorted(others)}"


@pytest.mark.parametrize("top", ["barlow_core", "study"])
def test_only_apps_know_streamlit(top: str) -> None:
    files = (ROOT / top).rglob("*.py")
    assert not [file for file in files if any(name.split(".")[0] == "streamlit" for name in imported(file))]


def test_no_circles() -> None:
    try:
        TopologicalSorter(arrows()).prepare()
    except CycleError as error:
        pytest.fail(f"these import each other: {' <- '.join(error.args[1])}")


def test_walk_leads_through_files_that_exist() -> None:
    assert len(STEPS) >= 10
    for file, name in STEPS:
        code = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"\b(def|class|function|async) {name}\b", code), f"{file} has no {name}"


def test_paths_in_the_text_exist() -> None:
    named = re.findall(r"`((?:barlow_core|study|apps|data|tests|benchmarks|docs)/[\w./]*|[\w.]+\.(?:md|txt|toml))`", TEXT)
    assert not [path for path in named if not (ROOT / path).exists()]


def bound(found: Iterable[ast.AST]) -> set[str]:
    """Every name that is defined, imported or assigned (also to an attribute) in a tree."""
    names = set()
    for node in found:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name)
    return names


@cache
def names_in(module: str) -> set[str]:
    return bound(nodes(modules()[module]))


@cache
def classes() -> dict[str, list[ast.ClassDef]]:
    """Every class of the house, by its name."""
    found: dict[str, list[ast.ClassDef]] = {}
    for file in modules().values():
        for node in nodes(file):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(node)
    return found


@cache
def members(name: str) -> set[str]:
    """What classes of that name have of their own and from bases in the house."""
    bases = {base.id for node in classes()[name] for base in node.bases if isinstance(base, ast.Name)} & set(classes())
    return {member for node in classes()[name] for member in bound(ast.walk(node))}.union(*map(members, bases))


def is_there(name: str) -> bool:
    """Whether `package.module.name`, or `Class.member`, exists."""
    head, _, rest = name.partition(".")
    if head in classes():
        return not rest or rest.split(".")[0] in members(head)
    parts = name.split(".")
    home = next(".".join(parts[:i]) for i in range(len(parts), 0, -1) if ".".join(parts[:i]) in modules())
    inside = parts[home.count(".") + 1 :]
    if not inside:
        return True
    return inside[0] in names_in(home) and (inside[0] not in classes() or is_there(".".join(inside)))


def test_names_in_docstrings_and_comments_exist() -> None:
    """`barlow_core.views.benchmark`, `views.node_rates`, `Run.status`: not the attributes of an object at hand, `options.seed`."""
    packages = [module for module, file in modules().items() if file.name == "__init__.py"]
    wrong, checked = [], 0
    for module, file in modules().items():
        beside = [name for name, other in modules().items() if other.parent == file.parent]
        near = [*packages, *arrows()[module], *beside]
        for name in re.findall(r"`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?:\([^`]*\))?`", file.read_text(encoding="utf-8")):
            head, _, rest = name.partition(".")
            homes = [head] if head in classes() else [home for home in near if home.split(".")[-1] == head]
            if homes and name not in ELSEWHERE:
                checked += 1
                if not any(is_there(f"{home}.{rest}") for home in homes):
                    wrong.append(f"{file.relative_to(ROOT)}: `{name}`")
    assert checked > 100
    assert not wrong
