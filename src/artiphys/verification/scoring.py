"""The examination: every method on every toy whose truths it claims to find."""

from __future__ import annotations

import math
import time as clock
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from artiphys.border import border
from artiphys.errors import InputError, unknown
from artiphys.progress import progress_bar
from artiphys.toys import load, mechanisms, names
from artiphys.toys.toy import Toy, Truth
from artiphys.user_warnings import warn
from artiphys.verification.answers import shipped
from artiphys.verification.circuit_measures import NOTHING_MEASURED, CircuitMeasures, measured
from artiphys.verification.decorator import method
from artiphys.verification.kept_state import kept_state
from artiphys.verification.methods import CIRCUITS, ROUNDING, Answer, Case, Found, InapplicableError, Method
from artiphys.verification.peers import peer_methods
from artiphys.verification.result import Score, Scoreboard
from artiphys.verification.toy_checks import check_toy
from artiphys.version import __version__


@border
def verify(
    methods: Sequence[Any] | Mapping[str, Any] | Callable[..., Any] | Method | str | None = None,
    toys: Sequence[Any] | str | Toy | None = None,
    *,
    peers: bool = False,
    fresh: int = 0,
    seed: int = 0,
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

    peers : bool
        Compare other methods of the field too (`verification.peer_methods`), those whose packages are installed.
        A board passes whatever they say.
    fresh : int
        So many new networks of every mechanism too (`toys.mechanisms`), on top of ``toys``; with ``toys=[]`` alone.
    seed : int
        Of the first of these; the others have the next ones.

    Returns
    -------
    Scoreboard
        One score per method, toy and truth. A method that raises an error, leaves a player out or gives NaN fails
        there, and the others go on; one that raises `verification.InapplicableError` is left out there.

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
    asked = _methods(methods)
    names_asked = {m.name for m in asked}
    examined = asked + [m for m in peer_methods().values() if peers and m.name not in names_asked]
    examined_on = _toys(toys, fresh, seed)
    cases = [(m, toy, truth) for toy in examined_on for m in examined for truth in toy.truth if m.applies(toy, truth)]
    idle = [m.name for m in asked if methods is not None and not any(m is c[0] for c in cases)]
    if not cases:
        raise InputError(f"no truth of these toys is claimed by {', '.join(idle) or 'any method'}; take other toys")
    if idle:
        warn(f"no truth of these toys is claimed by {', '.join(idle)}: not examined")
    started, scores = clock.perf_counter(), list[Score]()
    beyond: dict[str, str] = {}  # methods that said so of some network, and why
    with progress_bar("truths", total=len(cases), show=progress) as bar:
        for m, toy, truth in cases:
            try:
                scores.append(scored(m, toy, truth))
            except InapplicableError as error:
                beyond.setdefault(m.name, str(error))
            bar.update(1)
    seen = {s.method for s in scores}
    if not seen:
        reasons = "; ".join(f"{name} is made for none of these networks ({why})" for name, why in beyond.items())
        raise InputError(f"nothing was examined: {reasons}")
    for name in (names_asked & set(beyond)) - seen:
        warn(f"{name} is made for none of these networks: {beyond[name]}")
    return Scoreboard(tuple(scores), __version__, clock.perf_counter() - started)


def scored(examined: Method, toy: Toy, truth: Truth) -> Score:
    """One method on one truth.

    Raises
    ------
    InapplicableError
        If it says that it is not made for such a network.
    """
    case, started, note = Case(toy, truth), clock.perf_counter(), ""
    given: Answer
    try:
        with kept_state():
            given = examined.answer(case)
    except InapplicableError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a method raises is its failure, and said
        given, note = {}, f"{type(error).__name__}: {error}".splitlines()[0]
    seconds, n_evaluations = clock.perf_counter() - started, case.n_evaluations
    measures = NOTHING_MEASURED
    if isinstance(given, Found):
        measures = measured(given, case)
    elif truth.analysis == CIRCUITS and given:  # all minimal sets: the smallest is the circuit
        measures = measured(Found(frozenset(min(given, key=lambda s: s.count("+")).split("+"))), case)
    answer = _in_keys(given, measures, truth) if isinstance(given, Found) else dict(given)
    tolerance = truth.tolerance
    if examined.granted:
        tolerance = max(tolerance, examined.granted * abs(case.game.intact - case.game.lesioned))
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
    passed = not lacking and not extra and off[key] <= tolerance + ROUNDING
    return Score(
        examined.name, toy.name, truth.analysis, truth.kind, key, float(truth.expected[key]),
        float(answer.get(key, math.nan)), off[key], tolerance, bool(passed), seconds, n_evaluations, note,
        examined.peer, measures,
    )  # fmt: skip


def _in_keys(found: Found, measures: CircuitMeasures, truth: Truth) -> dict[str, float]:
    """The truth's own entry for a set that is a smallest one; else the set, with NaN."""
    return dict(truth.expected) if measures.exact else {"+".join(sorted(found.members)) or "none": math.nan}


def _methods(given: Any) -> list[Method]:
    known = shipped()
    if given is None:
        return list(known.values())
    known |= peer_methods()
    if isinstance(given, Mapping):
        given = [g if isinstance(g, Method) else method(g, name=str(n)) for n, g in given.items()]
    elif isinstance(given, (str, Method)) or callable(given):
        given = [given]
    if not isinstance(given, Iterable):
        raise InputError(f"methods came as {type(given).__name__}; wanted names, functions, or a list of these")
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
        raise InputError(
            f"methods need different names; they came as {', '.join(m.name for m in found)}. Give a mapping of names "
            "to functions, or verification.method(fn, name=...)"
        )
    return found


def _toys(given: Any, fresh: int, seed: int) -> list[Toy]:
    if fresh < 0:
        raise InputError(f"fresh came as {fresh}; wanted 0 or more networks of every mechanism")
    if given is None:
        given = names()
    elif isinstance(given, (str, Toy)):
        given = [given]
    if not isinstance(given, Iterable):
        raise InputError(f"toys came as {type(given).__name__}; wanted names, toys.Toy, or a list of these")
    toys = []
    for one in given:
        if not isinstance(one, (str, Toy)):
            raise InputError(f"toys came with a {type(one).__name__}; wanted names or toys.Toy (see ap.toys.names())")
        toys.append(load(one) if isinstance(one, str) else one)
        if isinstance(one, Toy):
            check_toy(one)
    toys += [toy for i in range(fresh) for toy in mechanisms(seed + i)]
    if not toys:
        raise InputError("toys= came empty; leave it out for all toys, or give fresh= for new networks alone")
    different = {id(t): t.name for t in toys}
    if twice := {n for n in different.values() if list(different.values()).count(n) > 1}:
        raise InputError(f"different toys came under one name: {', '.join(sorted(twice))}; give each its own")
    return toys
