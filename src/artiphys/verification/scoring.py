"""The examination: every method on every toy whose truths it claims to find."""

from __future__ import annotations

import math
import time as clock
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from artiphys.border import border
from artiphys.errors import InputError, unknown
from artiphys.progress import progress_bar
from artiphys.toys import load, names
from artiphys.toys.toy import Toy, Truth
from artiphys.user_warnings import warn
from artiphys.verification.answers import shipped
from artiphys.verification.methods import Case, Method, method
from artiphys.verification.result import Score, Scoreboard
from artiphys.version import __version__

ROUNDING = 1e-9  # of single precision, beside a truth's own tolerance


@border
def verify(
    methods: Sequence[Any] | Mapping[str, Any] | Callable[..., Any] | Method | str | None = None,
    toys: Sequence[Any] | str | Toy | None = None,
    *,
    progress: bool = True,
) -> Scoreboard:
    """Examine methods on networks whose answers are known.

    Parameters
    ----------
    methods : optional
        Default: every analysis of artiphys. Names of these, functions, or `verification.Method`; a mapping names
        functions. A bare function is taken to give Shapley values of a game; `verification.method` tells of others.
    toys : optional
        Names or `toys.Toy` objects. Default: all of `toys.names()`.

    Returns
    -------
    Scoreboard
        One score per method, toy and truth. A method that raises an error, leaves a player out or gives NaN fails
        there, and the others go on.

    Raises
    ------
    InputError
        If a name is unknown, or no method claims anything that these toys state.

    Examples
    --------
    >>> import artiphys as ap
    >>> board = ap.verify(toys=["xor", "backup"], progress=False)
    >>> board.passed, sorted(set(board.to_dataframe()["toy"]))
    (True, ['backup', 'xor'])
    >>> import numpy as np
    >>> def leave_one_out(game):  # taken for Shapley values, as is often done
    ...     return game.intact - game(~np.eye(game.n_players, dtype=bool))
    >>> print(ap.verify(leave_one_out, toys="xor_redundant", progress=False).failures[0].passed)
    False
    """
    examined = _methods(methods)
    cases = [(m, toy, truth) for toy in _toys(toys) for m in examined for truth in toy.truth if m.applies(toy, truth)]
    idle = [m.name for m in examined if methods is not None and not any(m is c[0] for c in cases)]
    if not cases:
        raise InputError(f"no truth of these toys is claimed by {', '.join(idle) or 'any method'}; take other toys")
    if idle:
        warn(f"no truth of these toys is claimed by {', '.join(idle)}: not examined")
    started, scores = clock.perf_counter(), []
    with progress_bar("truths", total=len(cases), show=progress) as bar:
        for m, toy, truth in cases:
            scores.append(scored(m, toy, truth))
            bar.update(1)
    return Scoreboard(tuple(scores), __version__, clock.perf_counter() - started)


def scored(examined: Method, toy: Toy, truth: Truth) -> Score:
    """One method on one truth."""
    case, started, note = Case(toy, truth), clock.perf_counter(), ""
    try:
        answer = dict(examined.answer(case))
    except Exception as error:  # noqa: BLE001  # whatever a method raises is its failure, and said
        answer, note = {}, f"{type(error).__name__}: {error}".splitlines()[0]
    seconds = clock.perf_counter() - started
    off = {key: abs(answer.get(key, math.nan) - expected) for key, expected in truth.expected.items()}
    key = max(off, key=lambda k: math.inf if math.isnan(off[k]) else off[k])
    lacking = [k for k in truth.expected if k not in answer]
    sets = truth.analysis.startswith(("minimal circuits", "critical sets"))
    extra = [k for k in answer if k not in truth.expected] if sets else []
    if not note and (lacking or extra):
        note = "; ".join(
            f"{what} {', '.join(found)}" for what, found in (("missed", lacking), ("wrongly found", extra)) if found
        )
    elif not note and math.isnan(off[key]):
        note = f"{key} came as NaN"
    passed = not lacking and not extra and off[key] <= truth.tolerance + ROUNDING
    return Score(
        examined.name, toy.name, truth.analysis, truth.kind, key, float(truth.expected[key]),
        float(answer.get(key, math.nan)), off[key], truth.tolerance, bool(passed), seconds, case.n_evaluations, note,
    )  # fmt: skip


def _methods(given: Any) -> list[Method]:
    known = shipped()
    if given is None:
        return list(known.values())
    if isinstance(given, Mapping):
        given = [g if isinstance(g, Method) else method(g, name=str(n)) for n, g in given.items()]
    elif isinstance(given, (str, Method)) or callable(given):
        given = [given]
    found = []
    for one in given:
        if isinstance(one, str):
            if one not in known:
                raise InputError(unknown("method", one, list(known)))
            one = known[one]
        found.append(one if isinstance(one, Method) else method(one))
    if not found:
        raise InputError("methods= came empty; leave it out for all of artiphys")
    if len({m.name for m in found}) < len(found):
        raise InputError(f"methods need different names; they came as {', '.join(m.name for m in found)}")
    return found


def _toys(given: Any) -> list[Toy]:
    if given is None:
        given = names()
    elif isinstance(given, (str, Toy)):
        given = [given]
    toys = [one if isinstance(one, Toy) else load(one) for one in given]
    if not toys:
        raise InputError("toys= came empty; leave it out for all toys")
    return toys
