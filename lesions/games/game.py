"""Game: a network's behaviour as a function of which players are intact."""

from __future__ import annotations

import hashlib
import time as clock
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from tqdm.auto import tqdm

from artiphys.errors import InputError, LesionError
from artiphys.hooks.tapping import leaves
from artiphys.lesions.cache.in_memory import Memo, keys_of
from artiphys.lesions.cache.layered import Shelf
from artiphys.lesions.evaluation.batch_size import Pace
from artiphys.lesions.evaluation.blocks import run_blocks
from artiphys.lesions.evaluation.closed_loop import run_closed_loop
from artiphys.lesions.evaluation.cost import Plan, planned, units_of
from artiphys.lesions.evaluation.evaluator import Evaluator
from artiphys.lesions.evaluation.executors import run_elsewhere
from artiphys.lesions.games.overlap import check_overlap
from artiphys.lesions.games.player_lesions import GameKind, PlayerLike, members
from artiphys.lesions.operations.context import writers
from artiphys.players import Players
from artiphys.preparation.preparation import Preparation
from artiphys.recording import Recording
from artiphys.scores.per_trial import ClosedLoop, Score, closed_loop
from artiphys.stimuli import Inputs, Stimuli

Array = np.ndarray[Any, Any]
QUICK, SAMPLE = 0.05, 256  # seconds of one coalition below which a plan times so many


class Game:
    """A cooperative game: players are units of a network, the value is its mean score.

    Coalitions that lesion the same players up to a stage of the network (a transformer block, a layer, a
    step of a recurrent net) share all computation up to there; each is evaluated once and remembered.

    Parameters
    ----------
    prep : Preparation
    stimuli : Stimuli, tensor or mapping of tensors, or None
        None where the score runs the network itself (`artiphys.scores.per_trial.closed_loop`).
    score : Score or function (outputs, trials) -> one value a trial
        Without stimuli a function ``fn(prep)`` -> a number, or one an episode.
    players : Players, or a list whose entries are players, lesions or lists of lesions
    kind : str
        What a lesion does; always said. ``"mixed"`` where the players are lesions of several kinds.
    reference : Recording or Stimuli, optional
        For mean and resample (default: these stimuli).
    cache : path, optional
        A directory in which values are kept as they come: a killed run resumes, another analysis of the
        same lesions reuses them.
    executor : concurrent.futures.Executor or dask Client, optional
        Evaluates blocks elsewhere, such as in other processes or on a cluster.
    time, over, sd, gain, value, seed, n_donors
        As in `Lesion`.
    batch_size : int, optional
        Rows (trials times coalitions) a forward pass. Default: what a short measurement on the first
        blocks finds to be fastest, and less where memory runs out.
    progress : bool
        Show a bar on long evaluations.

    Attributes
    ----------
    n_evaluations : int
        Coalitions evaluated so far (each once).
    seconds : float
        Time spent evaluating [s].

    Examples
    --------
    >>> import artiphys as ap
    >>> toy = ap.toys.load("xor")
    >>> prep = ap.wrap(toy)
    >>> game = ap.Game(prep, toy.stimuli, toy.score, prep.players("hidden"), kind="zero")
    >>> game(np.array([[True, True], [False, True]])).tolist()
    [1.0, 0.5]
    """

    def __init__(
        self,
        prep: Preparation,
        stimuli: Stimuli | Inputs | None,
        score: Score | ClosedLoop | Callable[..., Any],
        players: Players | Sequence[PlayerLike],
        *,
        kind: GameKind,
        reference: Recording | Stimuli | None = None,
        cache: Any = None,
        executor: Any = None,
        time: Any = None,
        over: Literal["trial", "trial,time"] | None = None,
        sd: float | None = None,
        gain: float | None = None,
        value: float | None = None,
        seed: int = 0,
        n_donors: int = 1,
        batch_size: int | None = None,
        progress: bool = True,
    ) -> None:
        self.prep, self.kind, self.progress, self.seed = prep, kind, progress, seed
        self.batch_size, self.executor = batch_size, executor
        if batch_size is not None and (not isinstance(batch_size, (int, np.integer)) or batch_size < 1):
            raise InputError(f"batch_size came as {batch_size!r}; wanted a whole number of at least 1")
        if stimuli is None and executor is not None:
            raise InputError("a closed loop runs here, one coalition after another; leave executor= out")
        self.score: Any
        if stimuli is None and isinstance(score, Score):
            raise InputError(
                f"score {score.name!r} reads outputs, so the game needs stimuli; without them the score is a function "
                "of the preparation that runs the network itself (ap.scores.closed_loop)"
            )
        if stimuli is None:
            self.score = score if isinstance(score, ClosedLoop) else closed_loop(score)  # type: ignore[arg-type]
        elif isinstance(score, ClosedLoop):
            raise InputError("a closed-loop score runs the network itself; pass None for the stimuli")
        else:
            self.score = Score.of(score)
        self._stimuli = None if stimuli is None else Stimuli.of(stimuli)
        prep.require_wrapped()
        prep.look(None if self._stimuli is None else self._stimuli.inputs)
        prep.require_steady()
        options = {"time": time, "over": over, "sd": sd, "gain": gain, "value": value, "seed": seed}
        options |= {"n_donors": n_donors}
        self.player_names, parts = members(prep, list(players), kind, self._stimuli, reference, options, progress)
        self._writers = [writers(prep, lesions) for lesions in parts]
        check_overlap(self.player_names, self._writers)
        self.n_evaluations, self.seconds = 0, 0.0
        self._model, self._versions = prep.fingerprint(), self._edits()
        self._memos: dict[tuple[str, ...], Memo] = {}
        self._evaluator = None if self._stimuli is None else Evaluator(prep, self._stimuli, self.score, self._writers)
        self._rate: float | None = None  # seconds a layer-unit
        self._shelf = Shelf(cache, self) if cache is not None else None

    @property
    def n_players(self) -> int:
        """Number of players."""
        return len(self.player_names)

    @property
    def stimuli(self) -> Any:
        """The trials; none where the score runs the network itself."""
        return () if self._stimuli is None else self._stimuli

    def __call__(self, coalitions: Any) -> Array:
        """Score of each coalition: bool ``(n, player)``, True = intact -> ``(n,)``, or ``(n, output)``."""
        return np.asarray(self.score.summary(self.per_trial(coalitions), self.stimuli))

    def per_trial(self, coalitions: Any) -> Array:
        """What is kept of each trial (or episode) under each coalition: ``(n, trial)`` or ``(n, trial, output)``."""
        wanted = self._checked(coalitions)
        self._check_unchanged()
        keys = keys_of(wanted)
        memo = self._memo
        missing = {k: i for i, k in enumerate(keys) if k not in memo}
        if missing:
            self._evaluate(wanted[list(missing.values())], memo)
        elif self._shelf is not None:
            self._shelf.flush()  # what could not be written before
        return memo.take(keys) if keys else np.empty((0, len(self.stimuli)))

    def _check_unchanged(self) -> None:
        self.prep.require_wrapped()
        self.prep.require_steady()
        if self.prep.fingerprint() != self._model:
            raise LesionError("the model's weights have changed since this game was made; make a new game")
        if self._versions != self._edits():
            raise LesionError("the stimuli were changed in place since this game was made; make a new game")

    def _edits(self) -> list[int]:
        """How often each input tensor was edited in place, as torch counts it."""
        return [] if self._stimuli is None else [t._version for _, t in leaves(self._stimuli.inputs)]

    @property
    def _memo(self) -> Memo:
        # Inside ap.lesioned the same coalition is another network.
        return self._memos.setdefault(tuple(self.prep.in_force), Memo())

    @property
    def intact(self) -> Any:
        """Value with all players intact."""
        return self._single(True)

    @property
    def lesioned(self) -> Any:
        """Value with all players lesioned."""
        return self._single(False)

    def _single(self, intact: bool) -> Any:
        value = self(np.full((1, self.n_players), intact))[0]
        return float(value) if np.ndim(value) == 0 else value

    def cost(self, coalitions: Any) -> float:
        """Planned cost of coalitions in forward passes of one coalition each, sharing counted."""
        wanted = np.unique(self._checked(coalitions), axis=0)
        units, n_whole = units_of(self._evaluator, wanted)
        return units / n_whole

    def plan(self, coalitions: Any, *, measure: bool = True) -> Plan:
        """What evaluating coalitions will cost, before it is spent.

        Parameters
        ----------
        coalitions : bool ``(n, player)``
        measure : bool
            Time the intact network, and some of the coalitions where that is quick, to tell seconds; values are kept.
        """
        wanted = self._checked(coalitions)
        memo = self._memo
        new = {k: i for i, k in enumerate(keys_of(wanted)) if k not in memo}
        todo = wanted[list(new.values())]
        if measure and self._rate is None:
            todo = todo[self._measure(todo) :]
        width = max(1, len(self.score.outputs)) * max(1, len(self.stimuli))
        pace = None if self._evaluator is None else self._pace()
        return planned(self._evaluator, pace, todo, width, self._rate)

    def _measure(self, todo: Array) -> int:
        """Find seconds a layer-unit, from what was evaluated so far or now; how many of ``todo`` that took."""
        if self._evaluator is not None:
            _ = self._evaluator.layout  # found before the clock of the first evaluation runs
        if self.n_evaluations:
            self._rate = self.seconds / self._spent
            return 0
        self.per_trial(np.full((1, self.n_players), True))
        if self.n_evaluations:  # else the campaign knew it, and nothing was measured
            self._rate = self.seconds / self._spent
        if self.seconds > QUICK or len(todo) < 4 * SAMPLE:
            return 0
        # One coalition of a small network tells the time of a call rather than of a coalition.
        seconds, spent, before = self.seconds, self._spent, self.n_evaluations
        self.per_trial(todo[:SAMPLE])
        if self.n_evaluations - before == SAMPLE:
            self._rate = (self.seconds - seconds) / (self._spent - spent)
        return SAMPLE

    @property
    def _spent(self) -> float:
        """Layer-units computed so far (runs, where the score runs the network itself)."""
        units = 0.0 if self._evaluator is None else self._evaluator.n_units
        return units or float(self.n_evaluations)

    @property
    def context(self) -> dict[str, str]:
        """What all values of this game depend on, beside the lesions: model, stimuli and score.

        Raises
        ------
        InputError
            If the score is a plain function, whose meaning cannot be told from its name.
        """
        if self.score.key is None:
            raise InputError(
                f"score {self.score.name!r} has no key; make a Score with key= (or closed_loop(..., key=)) to name it "
                "on disk"
            )
        shown = "" if self._stimuli is None else self._stimuli.digest() + self._stimuli.conditions_digest()
        return {"model": self.prep.fingerprint(), "stimuli": shown, "score": self.score.key}

    @property
    def key(self) -> str:
        """Name of this game on disk: the same for the same model, stimuli, score, players and lesions."""
        h = hashlib.blake2b(repr(sorted(self.context.items())).encode(), digest_size=16)
        h.update(self.kind.encode())
        for name, parts in zip(self.player_names, self._writers):
            h.update(f"{name!r}:{sorted(w.lesion.digest() for w in parts)}".encode())
        return h.hexdigest()

    def _checked(self, coalitions: Any) -> Array:
        matrix = np.asarray(coalitions)
        if matrix.ndim == 1:
            matrix = matrix[None]
        if matrix.ndim != 2 or matrix.shape[1] != self.n_players:
            raise InputError(
                f"coalitions came with shape {np.shape(coalitions)}; wanted (n, {self.n_players}), True = intact"
            )
        if matrix.dtype != bool:
            if not np.isin(matrix, (0, 1)).all():
                raise InputError("coalitions must be boolean: True = intact, False = lesioned")
            matrix = matrix.astype(bool)
        return np.ascontiguousarray(matrix)

    def _pace(self) -> Pace:
        assert self._stimuli is not None
        known = self.prep.tuned.get((self._stimuli.form(), len(self._stimuli)))
        assert self._evaluator is not None
        return self._evaluator.paced(self.batch_size, known)

    def _evaluate(self, coalitions: Array, memo: Memo) -> None:
        began = clock.perf_counter()
        if self._shelf is not None:
            coalitions = self._shelf.fetch(coalitions, memo)
        bar = tqdm(total=len(coalitions), desc="coalitions", delay=2, disable=not self.progress, leave=False)

        def keep(some: Array, kept: Array) -> None:
            memo.add(keys_of(some), kept)
            self.n_evaluations += len(some)
            bar.update(len(some))
            if self._shelf is not None:
                self._shelf.put(some, kept)

        try:
            with bar:
                if len(coalitions):
                    self._run(coalitions, keep)
        finally:
            if self._shelf is not None:
                self._shelf.flush()
            self.seconds += clock.perf_counter() - began

    def _run(self, coalitions: Array, keep: Callable[[Array, Array], None]) -> None:
        if self._evaluator is None:
            run_closed_loop(self.prep, self.score, self._writers, coalitions, keep, self.player_names)
            return
        pace = self._pace()
        if self._shelf is not None:
            self._shelf.settle(pace, self._evaluator, coalitions)
        if self.executor is not None:
            run_elsewhere(self, coalitions, pace, keep)
            return
        run_blocks(self._evaluator, coalitions, pace, keep, self.player_names)
        if pace.settled and not pace.fixed:
            self.prep.tuned[self._evaluator.stimuli.form(), len(self._evaluator.stimuli)] = pace.rows

    def __repr__(self) -> str:
        return (
            f"Game({self.n_players} players, {len(self.stimuli)} trials, kind={self.kind!r}, "
            f"score={self.score.name!r}, {self.n_evaluations} coalitions evaluated)"
        )
