"""Every tutorial runs as it stands."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "tutorials"
REAL = ("02", "06", "07", "08", "09")  # on networks of the specimens extra
QUICK = ("01",)


def scripts() -> list[Any]:
    marked: list[Any] = []
    for path in sorted(FOLDER.glob("[0-9]*.py")):
        marks = [pytest.mark.specimens] if path.name[:2] in REAL else []
        marks += [] if path.name[:2] in QUICK else [pytest.mark.slow]
        marked.append(pytest.param(path, id=path.stem, marks=marks))
    return marked


@pytest.mark.parametrize("path", scripts())
def test_tutorial_runs(path: Path) -> None:
    runpy.run_path(str(path))
