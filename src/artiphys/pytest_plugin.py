"""Plugin for pytest: assert in a test of your own that a method finds what is known.

In ``conftest.py``::

    pytest_plugins = ["artiphys.pytest_plugin"]

and in a test::

    def test_my_method(finds):
        finds(my_attribution, toys=["xor", "majority3"], estimates="shapley")

It is not loaded by itself, since that would import torch in every project of the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from artiphys.verification import Method, Scoreboard, method, verify
from artiphys.verification.result import described

_BOARDS = pytest.StashKey[list[tuple[str, Scoreboard]]]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the boards of this run."""
    config.stash[_BOARDS] = []


@pytest.fixture
def finds(request: pytest.FixtureRequest) -> Iterator[Callable[..., Scoreboard]]:
    """A function ``(method, toys=, *, estimates=, granted=, **options)`` that fails the test where a truth is missed.

    ``estimates`` and ``granted`` are as of `artiphys.verification.method`, the options as of `artiphys.verify`. It
    returns the board.
    """

    def assert_found(
        examined: Callable[..., Any] | Method,
        toys: Any = None,
        *,
        estimates: Any = "shapley",
        granted: float = 0.0,
        **options: Any,
    ) -> Scoreboard:
        __tracebackhide__ = True
        one = examined if isinstance(examined, Method) else method(examined, estimates=estimates, granted=granted)
        board = verify([one], toys, **{"progress": False, **options})
        request.config.stash[_BOARDS].append((request.node.nodeid, board))
        if not board.passed:
            missed = "\n".join(f"  {described(score)}" for score in board.failures)
            pytest.fail(f"{len(board.failures)} of {len(board.scores)} truths missed:\n{missed}", pytrace=False)
        return board

    yield assert_found


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """One line per board."""
    if boards := config.stash[_BOARDS]:
        terminalreporter.section("artiphys: networks whose answers are known")
        for node, board in boards:
            terminalreporter.line(f"{node}: {board.in_words().splitlines()[0]}")
