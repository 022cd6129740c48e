"""The rules of the house: packages, the order of imports, names, sizes, and what is public."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import tomllib
from pathlib import Path

import networkx as nx
import pytest

import artiphys as ap

ROOT = Path(__file__).parents[1]
FOLDERS = {"artiphys": ROOT / "src/artiphys", "artiphys.probes": ROOT / "probes", "artiphys.lesions": ROOT / "lesions"}
ROOMS = ("artiphys.probes", "artiphys.lesions")

# Imports go to the same line or to one above it. What comes after the rooms may import both of them.
ORDER = [
    "artiphys.version artiphys.errors artiphys.array_types artiphys.user_warnings artiphys.progress",
    "artiphys.third_party",
    "artiphys.border",
    "artiphys.deprecation artiphys.missing artiphys.digests",
    "artiphys.structure",
    "artiphys.stats",
    "artiphys.stimuli",
    "artiphys.sites",
    "artiphys.players",
    "artiphys.hooks",
    "artiphys.blas_threads",
    "artiphys.adapters",
    "artiphys.preparation",
    "artiphys.zarr_files",
    "artiphys.recording_stores",
    "artiphys.recording",
    "artiphys.scores",
    "artiphys.toys artiphys.specimens",
    "artiphys.probes.data",
    "artiphys.probes.readers",
    "artiphys.probes.mutual_information",
    "artiphys.probes.decoding",
    "artiphys.probes.searchlights",
    "artiphys.probes.tuning",
    "artiphys.probes.detection",
    "artiphys.probes.clustering",
    "artiphys.probes.peristimulus",
    "artiphys.probes.count_models",
    "artiphys.probes.dimensions",
    "artiphys.probes.covariability",
    "artiphys.probes.factors",
    "artiphys.probes.projections",
    "artiphys.lesions.operations",
    "artiphys.lesions.evaluation",
    "artiphys.lesions.cache",
    "artiphys.lesions.games",
    "artiphys.lesions.estimators",
    "artiphys.lesions.contributions",
    "artiphys.lesions.interaction_indices",
    "artiphys.lesions.circuits",
    "artiphys.probes artiphys.lesions",
    "artiphys.verification",
    "artiphys.pytest_plugin",
    "artiphys.plotting",
    "artiphys.report",
    "artiphys.cli",
]
RANK = {name: i for i, line in enumerate(ORDER) for name in line.split()}
TOP_FLOOR = ("artiphys.plotting", "artiphys.report", "artiphys.verification", "artiphys.cli")


def find_modules() -> dict[str, Path]:
    found = {}
    for package, folder in FOLDERS.items():
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            name = ".".join([package, *(p for p in parts if p != "__init__")])
            if package != "artiphys" or not name.startswith(ROOMS):  # the rooms are linked into src
                found[name] = path
    return found


MODULES = find_modules()
PACKAGES = {n for n, p in MODULES.items() if p.name == "__init__.py"}


def imported(path: Path) -> set[str]:
    """Modules of artiphys that a file imports anywhere, inside functions and under TYPE_CHECKING too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{a.name}" if f"{node.module}.{a.name}" in MODULES else node.module
                      for a in node.names}  # fmt: skip
        elif isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
    return {n for n in names if n in MODULES and n != "artiphys"}


IMPORTS = {name: imported(path) for name, path in MODULES.items() if name != "artiphys"}


def place(module: str) -> int:
    """Line of the order that a module belongs to: that of the longest name that is its own or a package around it."""
    parts = module.split(".")
    return next(RANK[n] for i in range(len(parts), 0, -1) if (n := ".".join(parts[:i])) in RANK)


def test_packages_are_listed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(PACKAGES)


def test_rooms_are_linked_into_the_package() -> None:
    for room in ("probes", "lesions"):
        link = ROOT / "src/artiphys" / room
        assert link.is_symlink() and link.resolve() == ROOT / room and not link.readlink().is_absolute()


def test_no_module_bears_a_name_that_its_package_exports() -> None:
    for name in MODULES:
        package, _, own = name.rpartition(".")
        if package:
            held = getattr(importlib.import_module(package), own, None)
            assert held is None or inspect.ismodule(held), f"{name} is hidden by {held!r}"


def test_a_package_holds_its_reading_order_and_exports_only() -> None:
    for package in PACKAGES - {"artiphys"}:
        tree = ast.parse(MODULES[package].read_text())
        reading_order = ast.get_docstring(tree) or ""
        inside = {n.rpartition(".")[2] for n in MODULES if n.rpartition(".")[0] == package}
        missing = {n for n in inside if not re.search(rf"\b{n}\b", reading_order)}
        assert not missing, f"the docstring of {package} leaves out {missing}"
        for node in tree.body[1:]:
            exports = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
            assert exports or isinstance(node, ast.ImportFrom), f"{package}: {ast.unparse(node)[:60]}"


def test_results_stand_apart_from_the_functions_that_give_them() -> None:
    results = [
        ap.Attribution,
        ap.Circuit,
        ap.Interactions,
        ap.CellTypes,
        ap.Decoding,
        ap.Detection,
        ap.Psth,
        ap.CountEncoding,
        ap.Components,
        ap.MixedSelectivity,
        ap.Dimensionality,
        ap.Correlations,
        ap.Searchlight,
        ap.Tuning,
    ]
    functions = [ap.minimal_circuit, ap.interactions, ap.single_lesions, ap.shapley, ap.banzhaf, ap.attribution,
                 ap.cell_types, ap.decode, ap.detectability, ap.psth, ap.encode_counts, ap.components,
                 ap.mixed_selectivity, ap.dimensionality, ap.correlations, ap.searchlight,
                 ap.tuning_curves]  # fmt: skip
    assert all(r.__module__.endswith(".result") for r in results)
    assert not any(f.__module__.endswith(".result") for f in functions)


def test_imports_run_in_order_and_never_in_circles() -> None:
    for name, used in IMPORTS.items():
        for other in used:
            assert place(other) <= place(name), f"{name} imports {other}, which stands below it in the order"
    graph = nx.DiGraph((a, b) for a, used in IMPORTS.items() for b in used)
    assert nx.is_directed_acyclic_graph(graph), nx.find_cycle(graph)


def test_ground_floor_rooms_and_top_floor() -> None:
    for name, used in IMPORTS.items():
        in_room, on_top = name.startswith(ROOMS), name.startswith(TOP_FLOOR)
        assert in_room or on_top or not any(u.startswith(ROOMS) for u in used), f"{name} imports a room"
        assert not in_room or not any(u.startswith(TOP_FLOOR) for u in used), f"{name} imports the top floor"
        if name.startswith("artiphys.probes"):
            assert not any(u.startswith("artiphys.lesions") for u in used), f"{name} only reads"


def test_no_file_over_300_lines() -> None:
    files = [*MODULES.values(), *(ROOT / "tutorials").glob("*.py")]
    assert not {str(p): n for p in files if (n := len(p.read_text().splitlines())) > 300}


def test_tests_mirror_the_folders() -> None:
    apart = {"contract", "truth", "benchmarks", "golden", "fixtures"}
    for path in (ROOT / "tests").rglob("test_*.py"):
        inside = path.relative_to(ROOT / "tests").parts
        if len(inside) > 1 and inside[0] not in apart:
            stem = path.stem.removeprefix("test_")
            base = ROOT if inside[0] in ("probes", "lesions") else ROOT / "src/artiphys"
            where = base.joinpath(*inside[:-1], stem)
            assert where.with_suffix(".py").exists() or where.is_dir(), f"{path} tests no module"


def test_private_names_stay_where_they_are() -> None:
    """None is imported from another module, and those of other libraries are all in third_party."""
    ours = {"self", "cls", "new", "other"}
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("artiphys"):
                assert not [a.name for a in node.names if re.match(r"_[a-z]", a.name)], f"{name} imports a private name"
            if not isinstance(node, ast.Attribute):
                continue
            assert ast.unparse(node) != "object.__new__", name
            private = re.match(r"_[a-z]", node.attr) and ast.unparse(node.value) not in ours
            where = f"{name}, line {node.lineno}: {ast.unparse(node)} belongs in third_party"
            assert not private or name == "artiphys.third_party", where


def test_public_names() -> None:
    assert set(ap.__all__) == {
        "Attribution", "CellTypes", "Circuit", "CriticalSets", "Decoding", "Detection", "Edge", "Game", "Interactions",
        "Lesion", "Preparation", "Psth", "Recording", "Scoreboard", "Searchlight", "Site", "Stimuli", "Tuning",
        "Correlations",
        "Dimensionality",
        "MixedSelectivity",
        "Components",
        "CountEncoding",
        "attribution", "banzhaf", "encode_counts", "components", "mixed_selectivity", "dimensionality", "correlations",
        "cell_types", "critical_sets", "decode", "detectability", "errors", "interactions", "lesioned",
        "Calibration", "calibrate",
        "minimal_circuit", "psth", "record", "scores", "searchlight", "shapley", "single_lesions", "specimens", "toys",
        "tuning_curves", "verification", "verify", "wrap", "__version__",
    }  # fmt: skip
    assert all(hasattr(ap, name) for name in ap.__all__)


@pytest.mark.parametrize("path", sorted((ROOT / "src/artiphys/plotting").glob("*.py")), ids=lambda p: p.stem)
def test_plots_set_no_global_style(path: Path) -> None:
    assert "matplotlib.pyplot" not in path.read_text()
