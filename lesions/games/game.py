"""Game: a network's behaviour as a function of which players are intact."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from artiphys.array_types import Array
from artiphys.border import border
from artiphys.errors import InputError
from artiphys.lesions.cache.keys import keys_of
from artiphys.lesions.cache.layered import LayeredCache
from artiphys.lesions.evaluation.cost import Plan, planned, units_of
from artiphys.lesions.evaluation.executors import require_executor
from artiphys.lesions.evaluation.setup import Setup, score_of
from artiphys.lesions.games.evaluation import Evaluation
from artiphys.lesions.games.overlap import check_overlap
from artiphys.lesions.games.player_lesions import GameKind, PlayerLike, player_lesions
from artiphys.lesions.games.protocol import checked_coalitions, checked_rows, scalar
from artiphys.lesions.operations.context import writers_by_player
from artiphys.players import Players
from artiphys.preparation.preparation import Preparation
from artiphys.progress import progress_bar
from artiphys.recording import Recording
from artiphys.scores import ClosedLoop, Score
from artiphys.stimuli import Inputs, Stimuli

QUICK_SECONDS, N_TIMED = 0.05, 256  # of one coalition, below which a plan times so many


class Game:
    """A cooperative game: players are units of a network, the value is its mean score.

    Coalitions that lesion the same players up to a stage of the network (a transformer block, a layer, a
    step of a recurrent net) share all computation up to there; each is evaluated once and remembered.

    Parameters
    ----------
    prep : Preparation
    stimuli : Stimuli, tensor or mapping of tensors, or None
        None where the score runs the network itself (`artiphys.scores.closed_loop`).
    score : Score or function (outputs, trials) -> one value per trial
        Without stimuli a function ``fn(prep)`` -> a number, or one per episode.
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
    setup : Setup
        What is evaluated.
    player_names : list
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

    @border
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
        if stimuli is None and executor is not None:
            raise InputError("a closed loop runs here, one coalition after another; leave executor= out")
        require_executor(executor)
        trials = None if stimuli is None else Stimuli.of(stimuli)
        score = score_of(score, trials)
        prep.require_wrapped()
        prep.look(None if trials is None else trials.inputs)
        options = {"time": time, "over": over, "sd": sd, "gain": gain, "value": value, "seed": seed}
        options |= {"n_donors": n_donors}
        names, lesions = player_lesions(prep, list(players), kind, trials, reference, options, progress)
        writes = writers_by_player(prep, lesions)
        check_overlap(names, writes)
        setup = Setup.of(prep, trials, score, kind, names, writes)
        prep.require_steady(trials, setup.model)
        self.executor, self.progress, self.seed = executor, progress, seed
        self._begin(setup, batch_size, LayeredCache(setup, cache))

    def _begin(self, setup: Setup, batch_size: int | None, cache: LayeredCache) -> None:
        self.setup, self.batch_size, self._cache = setup, batch_size, cache
        self.player_names = list(setup.player_names)
        self.n_evaluations, self.seconds = 0, 0.0
        self._evaluation = Evaluation(setup, batch_size, self.executor)
        self._evaluator = self._evaluation.evaluator
        self._seconds_per_unit: float | None = None
        self._parts: dict[bytes, Game] = {}  # on some of the trials, so that what they know is not evaluated twice

    def on(self, rows: Any) -> Game:
        """The same game on some of its trials: what is known of them already is not evaluated again.

        Parameters
        ----------
        rows : slice, whole numbers or bool ``(trial,)``
        """
        if self.setup.stimuli is None:
            raise InputError("this game's score runs the network itself; it has no trials to choose from")
        chosen = checked_rows(rows, len(self.stimuli))
        if (known := self._parts.get(chosen.tobytes())) is not None:
            return known
        setup = self.setup.on(self.stimuli[chosen])
        new = Game.__new__(Game)
        new.executor, new.progress, new.seed = self.executor, self.progress, self.seed
        new._begin(setup, self.batch_size, LayeredCache(setup, self._cache.path, (self._cache, chosen)))
        self._parts[chosen.tobytes()] = new
        return new

    @property
    def prep(self) -> Preparation:
        """The network."""
        return self.setup.prep

    @property
    def kind(self) -> str:
        """What a lesion does."""
        return self.setup.kind

    @property
    def score(self) -> Any:
        """What is measured."""
        return self.setup.score

    @property
    def n_players(self) -> int:
        """Number of players."""
        return self.setup.n_players

    @property
    def stimuli(self) -> Any:
        """The trials; none where the score runs the network itself."""
        return () if self.setup.stimuli is None else self.setup.stimuli

    def __call__(self, coalitions: Any) -> Array:
        """Score of each coalition: bool ``(n, player)``, True = intact -> ``(n,)``, or ``(n, output)``."""
        return np.asarray(self.score.summary(self.per_trial(coalitions), self.stimuli))

    def per_trial(self, coalitions: Any) -> Array:
        """What is kept of each trial (or episode) under each coalition: ``(n, trial)`` or ``(n, trial, output)``."""
        wanted = checked_coalitions(coalitions, self.n_players)
        with self.prep.frame.turns.held():  # what is in force now is in force until the end
            self.setup.require_unchanged()
            keys = keys_of(wanted)
            memo = self._cache.memo
            missing = {k: i for i, k in enumerate(keys) if k not in memo}
            if missing:
                self._evaluate(wanted[list(missing.values())])
            else:
                self._cache.flush()  # what could not be written before
            return memo.take(keys) if keys else np.empty((0, len(self.stimuli)))

    def _evaluate(self, coalitions: Array) -> None:
        """Evaluate coalitions that are not in memory, each kept as soon as it is there."""
        began = clock.perf_counter()
        coalitions = self._cache.load_known(coalitions)
        bar = progress_bar("coalitions", total=len(coalitions), show=self.progress)

        def keep(some: Array, per_trial: Array) -> None:
            self.n_evaluations += len(some)
            bar.update(len(some))
            self._cache.put(some, per_trial)

        try:
            with bar:
                if len(coalitions):
                    self._evaluation.run(coalitions, keep, self._cache.campaign)
        finally:
            self._cache.flush()
            self.seconds += clock.perf_counter() - began

    @property
    def intact(self) -> Any:
        """Value with all players intact."""
        return scalar(self(np.ones((1, self.n_players), dtype=bool))[0])

    @property
    def lesioned(self) -> Any:
        """Value with all players lesioned."""
        return scalar(self(np.zeros((1, self.n_players), dtype=bool))[0])

    def cost(self, coalitions: Any) -> float:
        """Planned cost of coalitions in forward passes of one coalition each, sharing counted."""
        wanted = np.unique(checked_coalitions(coalitions, self.n_players), axis=0)
        units, n_whole = units_of(self._evaluator, wanted)
        return units / n_whole

    @border
    def plan(self, coalitions: Any, *, measure: bool = True) -> Plan:
        """What evaluating coalitions will cost, before it is spent.

        Parameters
        ----------
        coalitions : bool ``(n, player)``
        measure : bool
            Time the intact network, and some of the coalitions where that is quick, to tell seconds; values are kept.
        """
        wanted = checked_coalitions(coalitions, self.n_players)
        memo = self._cache.memo
        new = {k: i for i, k in enumerate(keys_of(wanted)) if k not in memo}
        todo = wanted[list(new.values())]
        if measure and self._seconds_per_unit is None:
            todo = todo[self._measure(todo) :]
        width = max(1, len(self.score.outputs)) * max(1, len(self.stimuli))
        sizes = None if self._evaluator is None else self._evaluation.batch_sizes()
        return planned(self._evaluator, sizes, todo, width, self._seconds_per_unit)

    def _measure(self, todo: Array) -> int:
        """Find seconds per layer-unit, from what was evaluated so far or now; how many of ``todo`` that took."""
        if self._evaluator is not None:
            self._evaluator.prepare()  # before the clock of the first evaluation runs
        if self.n_evaluations:
            self._seconds_per_unit = self.seconds / self._spent
            return 0
        self.per_trial(np.full((1, self.n_players), True))
        if self.n_evaluations:  # else the campaign knew it, and nothing was measured
            self._seconds_per_unit = self.seconds / self._spent
        if self.seconds > QUICK_SECONDS or len(todo) < 4 * N_TIMED:
            return 0
        # One coalition of a small network tells the time of a call rather than of a coalition.
        seconds, spent, before = self.seconds, self._spent, self.n_evaluations
        self.per_trial(todo[:N_TIMED])
        if self.n_evaluations - before == N_TIMED:
            self._seconds_per_unit = (self.seconds - seconds) / (self._spent - spent)
        return N_TIMED

    @property
    def _spent(self) -> float:
        """Layer-units computed so far (runs, where the score runs the network itself)."""
        return (0.0 if self._evaluator is None else self._evaluator.n_units) or float(self.n_evaluations)

    @property
    def context(self) -> dict[str, str]:
        """What all values of this game depend on, beside the lesions; `InputError` for a score without a name."""
        return self.setup.context

    @property
    def key(self) -> str:
        """Name of this game on disk: the same for the same model, stimuli, score, players and lesions."""
        return self.setup.key

    def __reduce__(self) -> Any:
        raise InputError("a game is not copied or pickled; make a new one, and use cache= to share what is known")

    def __repr__(self) -> str:
        return (
            f"Game({self.n_players} players, {len(self.stimuli)} trials, kind={self.kind!r}, "
            f"score={self.score.name!r}, {self.n_evaluations} coalitions evaluated)"
        )
