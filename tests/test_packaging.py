"""The package list matches the folders, imports run one way, and the public interface is what it was."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import artiphys as ap

ROOT = Path(__file__).parents[1]
ROOMS = ("artiphys.probes", "artiphys.lesions")
TOP = {"__init__", "examine", "subjects", "findings", "appendix", "report", "cli", "plotting"}


def modules() -> dict[str, Path]:
    ground = {p: p.relative_to(ROOT / "src") for p in (ROOT / "src").rglob("*.py")}
    found = {".".join(rel.with_suffix("").parts): p for p, rel in ground.items()}
    found = {n: p for n, p in found.items() if not n.startswith(ROOMS)}
    for room in ("probes", "lesions"):
        found |= {f"artiphys.{room}.{p.stem}": p for p in (ROOT / room).glob("*.py")}
    return found


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
    return names


def test_packages_are_listed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    here = {n.removesuffix(".__init__") for n in modules() if n.endswith("__init__")}
    assert set(listed) == here


def test_rooms_are_linked_into_the_package() -> None:
    for room in ("probes", "lesions"):
        link = ROOT / "src/artiphys" / room
        assert link.is_symlink() and link.resolve() == ROOT / room and not link.readlink().is_absolute()


def test_imports_run_one_way() -> None:
    for name, path in modules().items():
        used = {i for i in imports(path) if i.startswith("artiphys")}
        if name.startswith("artiphys.probes"):
            assert not any(i.startswith("artiphys.lesions") for i in used), name
        if name.startswith(ROOMS):
            assert not any(i.split(".")[1:2] and i.split(".")[1] in TOP - {"__init__"} for i in used), name
        elif path.stem not in TOP and not name.startswith("artiphys.plotting"):
            assert not any(i.startswith(ROOMS) for i in used), f"the ground floor must not import a room: {name}"


def test_no_file_over_400_lines() -> None:
    long = {n: c for n, p in modules().items() if (c := len(p.read_text().splitlines())) > 400}
    assert not long


def test_public_names() -> None:
    assert set(ap.__all__) == {
        "Attribution", "CellTypes", "Decoding", "Detection", "Game", "Lesion", "Preparation", "Recording",
        "Searchlight", "Site", "Stimuli", "Tuning", "attribution", "banzhaf", "cell_types", "decode", "detectability",
        "errors", "lesioned", "record", "scores", "searchlight", "shapley", "single_lesions", "specimens", "toys",
        "tuning_curves", "wrap", "__version__",
    }  # fmt: skip
    assert all(hasattr(ap, name) for name in ap.__all__)
    for file in (ROOT / "src/artiphys/plotting").glob("*.py"):
        assert "matplotlib.pyplot" not in file.read_text()
