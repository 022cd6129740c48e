"""The plugin for pytest in a project of its own, which knows artiphys only as installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONFTEST = 'pytest_plugins = ["artiphys.pytest_plugin"]\n'
TESTS = '''
import itertools
import math

import numpy as np
import pytest


def by_orders(game):
    """Shapley values by all orders."""
    total = np.zeros(game.n_players)
    for order in itertools.permutations(range(game.n_players)):
        rows = np.zeros((game.n_players + 1, game.n_players), dtype=bool)
        for k, player in enumerate(order):
            rows[k + 1 :, player] = True
        total[list(order)] += np.diff(game(rows))
    return total / math.factorial(game.n_players)


def leave_one_out(game):
    return game.intact - game(~np.eye(game.n_players, dtype=bool))


def test_right(finds):
    board = finds(by_orders, toys=["xor_redundant", "majority3"])
    assert board.passed


def test_as_circuit(finds):
    finds(lambda game: ["hidden.0", "hidden.1"], toys="xor", estimates="minimal circuits")


def test_wrong(finds):
    finds(leave_one_out, toys=["xor_redundant", "majority3"])


def test_unknown(finds):
    with pytest.raises(ValueError, match="did you mean"):
        finds(by_orders, toys="xro")


def test_that_uses_nothing_of_it():
    pass
'''


def test_a_scratch_project(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_mine.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert "4 passed" in done.stdout and "1 failed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1
    assert "3 of 3 truths missed" in done.stdout
    assert "leave_one_out on xor_redundant, shapley (zero): hidden.0 came as 0; 0.166667 is true" in done.stdout
    assert "artiphys: networks whose answers are known" in done.stdout
    assert "1 method on 2 toys: 3 of 3 truths found" in done.stdout
