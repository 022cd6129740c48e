"""Game: a network's behaviour as a function of which players are intact."""

from __future__ import annotations

import hashlib
import time as clock
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from artiphys.errors import InputError, LesionError
from artiphys.lesions.apply import writers
from artiphys.lesions.lesion import Kind, Lesion
from artiphys.lesions.overlap import check_overlap
from artiphys.lesions.together import rows_of_coalition, together
from artiphys.lesions.write import Writer
from artiphys.players import Player, Players
from artiphys.preparation import Preparation
from artiphys.recording import Recording, record
from artiphys.scores import Score
from artiphys.stimuli import Inputs, Stimuli
from artiphys.taps import Write

Array = np.ndarray[Any, Any]
GameKind = Kind | Literal["mixed"]
PlayerLike = Player | Lesion | Sequence[Lesion]


class Game:
    """A cooperative game: players are units of a network, the value is its mean score.

    Parameters
    ----------
    prep : Preparation
    stimuli : Stimuli, tensor or mapping of tensors
    score : Score or function (outputs, trials) -> one value a trial
    players : Players, or a list whose entries are players, lesions or lists of lesions
    kind : str
        What a lesion does; always said. ``"mixed"`` where the players are lesions of several kinds.
    reference : Recording or Stimuli, optional
        For mean and resample (default: these stimuli).
    time, over, sd, gain, value, seed, n_donors
        As in `Lesion`.
    batch_size : int
        Rows (trials times coalitions) a forward pass.
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
        stimuli: Stimuli | Inputs,
        score: Score | Callable[[Any, Stimuli], Any],
        players: Players | Sequence[PlayerLike],
        *,
        kind: GameKind,
        reference: Recording | Stimuli | None = None,
        time: Any = None,
        over: Literal["trial", "trial,time"] | None = None,
        sd: float | None = None,
        gain: float | None = None,
        value: float | None = None,
        seed: int = 0,
        n_donors: int = 1,
        batch_size: int = 64,
        progress: bool = True,
    ) -> None:
        if kind != "mixed" and kind not in get_args(Kind):
            raise LesionError(f"kind came as {kind!r}; wanted one of {', '.join(get_args(Kind))}, or 'mixed'")
        self.prep, self.stimuli, self.score = prep, Stimuli.of(stimuli), Score.of(score)
        self.kind, self.batch_size, self.progress, self.seed = kind, int(batch_size), progress, seed
        if self.batch_size < 1:
            raise InputError(f"batch_size came as {batch_size}; wanted at least 1")
        prep.look(self.stimuli.inputs)
        prep.require_steady()
        options = {"time": time, "over": over, "sd": sd, "gain": gain, "value": value, "seed": seed}
        options |= {"n_donors": n_donors}
        self.player_names, parts = self._lesions(list(players), options, reference)
        self._writers = [writers(prep, lesions) for lesions in parts]
        check_overlap(self.player_names, self._writers)
        self.n_evaluations, self.seconds = 0, 0.0
        self._model = prep.fingerprint()
        self._memos: dict[tuple[str, ...], dict[bytes, Array]] = {}

    @property
    def n_players(self) -> int:
        """Number of players."""
        return len(self.player_names)

    def __call__(self, coalitions: Any) -> Array:
        """Mean score of each coalition: bool ``(n, player)``, True = intact -> ``(n,)``."""
        return np.asarray(self.per_trial(coalitions).mean(axis=1))

    def per_trial(self, coalitions: Any) -> Array:
        """Score of each trial under each coalition: ``(n, trial)``."""
        wanted = self._checked(coalitions)
        keys = [row.tobytes() for row in wanted]
        if self.prep.fingerprint() != self._model:
            raise LesionError("the model's weights have changed since this game was made; make a new game")
        # Inside ap.lesioned the same coalition is another network.
        memo = self._memos.setdefault(tuple(self.prep.in_force), {})
        missing = {k: row for k, row in zip(keys, wanted) if k not in memo}
        if missing:
            self._evaluate(np.array(list(missing.values())), memo)
        return np.stack([memo[k] for k in keys]) if keys else np.empty((0, len(self.stimuli)))

    @property
    def intact(self) -> float:
        """Value with all players intact."""
        return float(self(np.ones((1, self.n_players), dtype=bool))[0])

    @property
    def lesioned(self) -> float:
        """Value with all players lesioned."""
        return float(self(np.zeros((1, self.n_players), dtype=bool))[0])

    @property
    def key(self) -> str:
        """Name of this game on disk: the same for the same model, stimuli, score, players and lesions.

        Raises
        ------
        InputError
            If the score is a plain function, whose meaning cannot be told from its name.
        """
        if self.score.key is None:
            raise InputError(f"score {self.score.name!r} has no key; make a Score with key= to name it on disk")
        h = hashlib.blake2b(digest_size=16)
        h.update("|".join([self.prep.fingerprint(), self.stimuli.digest(), self.score.key, self.kind]).encode())
        for name, parts in zip(self.player_names, self._writers):
            h.update(f"{name!r}:{sorted(w.lesion.digest() for w in parts)}".encode())
        return h.hexdigest()

    def _lesions(
        self, players: list[PlayerLike], options: Mapping[str, Any], reference: Recording | Stimuli | None
    ) -> tuple[list[str], list[list[Lesion]]]:
        if not players:
            raise InputError("a game needs at least one player; got none")
        names: list[str] = []
        parts: list[list[Lesion]] = []
        source = self._reference(players, reference)
        shared: dict[str, Lesion] = {}
        for p in players:
            if isinstance(p, Player):
                if self.kind == "mixed":
                    raise LesionError("kind='mixed' is for players that are lesions; name one kind for units")
                names.append(p.name)
                parts.append([self._made(t.site, t.units, t.axis, options, source, shared) for t in p.targets])
                continue
            lesions: list[Any] = list(p) if isinstance(p, (list, tuple)) else [p]
            if not lesions or not all(isinstance(les, Lesion) for les in lesions):
                raise InputError(f"a player came as {p!r}; wanted a Player (prep.players), a Lesion or a list of them")
            other = {les.kind for les in lesions} - {self.kind}
            if other and self.kind != "mixed":
                raise LesionError(f"the game is of kind {self.kind!r}, but a player is a lesion of kind {other}")
            name = " + ".join(les.label() for les in lesions)
            names.append(name if name not in names else f"{name} #{names.count(name) + 1}")
            parts.append(lesions)
        if len(set(names)) != len(names):
            twice = sorted({n for n in names if names.count(n) > 1})
            raise InputError(f"players overlap: {twice[:3]} named more than once")
        return names, parts

    def _reference(self, players: list[PlayerLike], reference: Any) -> Recording | None:
        """One recording for all players, so that each site is run once and its mean kept once."""
        if self.kind not in ("mean", "resample"):
            if reference is not None and self.kind != "mixed":
                raise LesionError(f"reference= means nothing to a game of kind {self.kind!r}")
            return None
        if isinstance(reference, Recording):
            return reference
        stimuli = self.stimuli if reference is None else Stimuli.of(reference)
        sites = list(dict.fromkeys(t.site for p in players if isinstance(p, Player) for t in p.targets))
        return record(self.prep, stimuli, sites, progress=self.progress) if sites else None

    def _made(
        self, site: str, units: tuple[int, ...], axis: str, options: Mapping[str, Any],
        reference: Recording | None, shared: dict[str, Lesion],
    ) -> Lesion:  # fmt: skip
        if site not in shared:
            kind: Any = self.kind
            shared[site] = Lesion(site, kind=kind, reference=reference, **options)
        lesion = object.__new__(Lesion)
        # All players at a site share one mean table or donor pool.
        lesion.__dict__.update(shared[site].__dict__ | {"units": units, "axis": axis})
        return lesion

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

    def _evaluate(self, coalitions: Array, memo: dict[bytes, Array]) -> None:
        n_trials = len(self.stimuli)
        at_once = max(1, self.batch_size // n_trials)
        started = clock.perf_counter()
        bar = tqdm(total=len(coalitions), desc="coalitions", delay=2, disable=not self.progress, leave=False)
        with torch.no_grad(), bar:
            for start in range(0, len(coalitions), at_once):
                chunk = coalitions[start : start + at_once]
                values = [self._forward(chunk, batch) for batch in self.stimuli.batches(max(self.batch_size, 1))]
                for row, value in zip(chunk, np.concatenate(values, axis=1)):
                    memo[row.tobytes()] = value
                    self.n_evaluations += 1
                bar.update(len(chunk))
        self.seconds += clock.perf_counter() - started

    def _forward(self, coalitions: Array, trials: Stimuli) -> Array:
        n = len(coalitions)
        node = torch.arange(n).repeat_interleave(len(trials))
        write = self._writes(torch.as_tensor(~coalitions))
        run = self.prep.run(trials.repeated(n), write=write, node=node, last_only=self.score.needs == "last")
        return np.stack(
            [self.score(rows_of_coalition(run.outputs, i, n, len(trials)), trials).numpy() for i in range(n)]
        )

    def _writes(self, cut: Tensor) -> dict[str, Write]:
        """One write function a site, for the players that any coalition lesions there."""
        by_site: dict[str, list[tuple[int, Writer]]] = {}
        for player, parts in enumerate(self._writers):
            if bool(cut[:, player].any()):
                for writer in parts:
                    by_site.setdefault(writer.site.name, []).append((player, writer))
        return {site: together(cut, parts) for site, parts in by_site.items()}

    def __repr__(self) -> str:
        return (
            f"Game({self.n_players} players, {len(self.stimuli)} trials, kind={self.kind!r}, "
            f"score={self.score.name!r}, {self.n_evaluations} coalitions evaluated)"
        )
