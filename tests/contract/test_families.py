"""Every family of transformers that TransformerLens names does what FAMILIES.md says."""

from __future__ import annotations

import logging

import pytest
from fixtures.families import FAMILIES, NOT_BUILT
from fixtures.family_checks import COLUMNS, check, committed, is_green

from artiphys.third_party import supported_architectures

CELLS = committed()


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)


def test_every_architecture_has_a_row_or_a_reason() -> None:
    built = {f.architecture for f in FAMILIES.values()}
    assert set(supported_architectures()) == built | set(NOT_BUILT) and not built & set(NOT_BUILT)
    rows = [dict(zip(COLUMNS, cells[2:])) for name, cells in CELLS.items() if name in FAMILIES]
    green = [row for row in rows if len(row) == len(COLUMNS) and is_green(row)]
    assert len(green) >= 130


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_does_what_the_table_says(name: str) -> None:
    row, why = check(FAMILIES[name])
    if why:
        assert "as a module its outputs are kept" in why and CELLS[name][-1].split("(")[0] == why.split("(")[0]
    else:
        assert CELLS[name][2:] == list(row.values()) and is_green(row)
