"""Attribution by gradients through gates: a first look at many players for a few backward passes."""

from __future__ import annotations

import time as clock
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from artiphys.array_types import Array
from artiphys.border import border
from artiphys.errors import InputError, LesionError
from artiphys.hooks.changes import grad_enabled
from artiphys.hooks.taps import At, Write
from artiphys.lesions.contributions.result import Attribution
from artiphys.lesions.contributions.result_from_estimate import labelled
from artiphys.lesions.games.game import Game
from artiphys.lesions.games.protocol import checked_coalitions
from artiphys.lesions.operations.broadcast import along
from artiphys.lesions.operations.combined import Part, Together
from artiphys.lesions.operations.edge_writer import ReceiverCuts
from artiphys.lesions.operations.interventions import Interventions, plan_cuts
from artiphys.lesions.operations.stream_cuts import StreamCuts
from artiphys.lesions.operations.stream_edges import StreamEdgeWriter
from artiphys.lesions.operations.writer import projected
from artiphys.stats.intervals import standard_error
from artiphys.stimuli import Stimuli
from artiphys.version import __version__

N_TRIALS_PER_PASS = 32  # trials a backward pass
N_TRIALS_PER_STREAM = 8  # where each layer keeps what all senders before it add to the residual stream


@border
def attribution(
    game: Game,
    *,
    method: Literal["gradient", "integrated"] = "integrated",
    steps: int = 16,
    within: Any = None,
) -> Attribution:
    """What each player contributes to first order, or along the path from all lesioned to all intact.

    Every player gets a gate: 1 leaves it intact, 0 lesions it. The gradient of the score by the gates is
    exact for additive networks and a guess for others: a screening, whose error no interval over
    coalitions can tell. `shapley` tells what is true.

    Parameters
    ----------
    game : Game
        With a score that has a gradient (log-probability, logit difference; not accuracy).
    method : "integrated" or "gradient"
        "gradient": at all intact, one backward pass; guesses single lesions. "integrated": the mean over
        the straight path of gates (Gauss-Legendre); adds up to intact minus lesioned as the steps grow
        (`gap`), and guesses Shapley values.
    steps : int
        Backward passes of "integrated".
    within : bool ``(player,)``, Series by player or Circuit, optional
        A coalition (True = intact) to look at instead of all intact, such as a circuit being pruned: the rest
        is lesioned throughout and its values are 0, and ``intact`` is the score of that coalition.

    Returns
    -------
    Attribution
        ``stderr`` is NaN and an interval over coalitions is refused; that over stimuli is there.

    Raises
    ------
    InputError
        If the score has no gradient or is over the whole set of trials.

    References
    ----------
    Sundararajan, Taly & Yan 2017, Axiomatic attribution for deep networks. Aumann & Shapley 1974, Values
    of non-atomic games. Molchanov et al. 2019, Importance estimation for neural network pruning (gates).

    Examples
    --------
    >>> import artiphys as ap
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Identity(), torch.nn.Linear(2, 1))
    >>> prep = ap.wrap(net, torch.ones(2, 2))
    >>> game = ap.Game(prep, torch.ones(3, 2), ap.scores.output(), prep.players("1"), kind="zero")
    >>> np.allclose(ap.attribution(game).values, ap.shapley(game).values, atol=1e-5)
    True
    """
    if not isinstance(game, Game) or not isinstance(game.stimuli, Stimuli):
        raise InputError("ap.attribution needs an ap.Game on stimuli; a bare function or closed loop has no gradient")
    if game.score.reduce is not None:
        raise InputError(f"{game.score.name!r} is a score over the whole set of trials, without a gradient a trial")
    if method not in ("gradient", "integrated"):
        raise InputError(f"method came as {method!r}; wanted 'gradient' or 'integrated'")
    if steps < 1:
        raise InputError(f"steps came as {steps}; wanted 1 or more")
    kept = _coalition(within, game)
    started = clock.perf_counter()
    if method == "gradient":
        path = [(1.0, 1.0)]
    else:
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        path = [((1 + t) / 2, w / 2) for t, w in zip(nodes.tolist(), weights.tolist())]
    in_stream = any(isinstance(w, StreamEdgeWriter) for parts in game.setup.players for w in parts)
    n_per_pass = N_TRIALS_PER_STREAM if in_stream else N_TRIALS_PER_PASS
    per_trial = np.concatenate(
        [_gradients(game, part, path, kept) for part in game.stimuli.batches(n_per_pass)], axis=1
    )
    make = labelled(game.player_names, game.score.outputs or None)
    reached, lesioned = game(kept[None])[0], game.lesioned
    values = per_trial.mean(axis=1)
    return Attribution(
        values=make(values),
        stderr=make(np.full(values.shape, np.nan)),
        stderr_stimuli=make(standard_error(per_trial, axis=1)),
        per_trial=make(per_trial, game.stimuli.ids),
        intact=make(reached) if np.ndim(reached) else reached,
        lesioned=make(lesioned) if np.ndim(lesioned) else lesioned,
        n_evaluations=2 + len(path), n_samples=np.nan, exact=False,
        method="integrated gradients" if method == "integrated" else "gradient", kind=str(game.kind),
        score=game.score.name, unit=game.score.unit, version=__version__, n_trials=per_trial.shape[1],
        why=f"asked for; {len(path)} backward passes", seconds=clock.perf_counter() - started,
        method_text="Gradients were taken by gates between intact and lesioned; exact for additive networks only."
        + ("" if kept.all() else f" All but {kept.sum()} of {len(kept)} players were lesioned throughout."),
    )  # fmt: skip


def _coalition(within: Any, game: Game) -> Array:
    """Who is intact, from a mask, a Series by player, or a circuit; all where it is None."""
    names = list(game.player_names)
    if within is None:
        return np.ones(len(names), dtype=bool)
    if hasattr(within, "players") and hasattr(within, "every_player"):  # a Circuit
        inside = set(within.players)
        within = pd.Series({name: name in inside for name in within.every_player})
    if isinstance(within, pd.Series):
        if len(within) != len(names) or set(within.index) != set(names):
            raise InputError("within= came by other players than the game's; wanted a bool for each of player_names")
        by_name = dict(zip(within.index, within.to_numpy()))
        within = [by_name[n] for n in names]
    try:
        rows = checked_coalitions(within, len(names))
    except InputError as error:
        raise InputError(f"within= wants a bool for each player, True = intact: {error}") from error
    if len(rows) != 1:
        raise InputError(f"within= came as {len(rows)} coalitions; wanted one coalition, a bool for each player")
    return np.asarray(rows[0])


def _gradient(value: Tensor, gates: Tensor) -> Tensor:
    try:
        return torch.autograd.grad(value, gates, retain_graph=True)[0]
    except RuntimeError as error:
        raise InputError(
            f"no gradient passes through this network ({str(error).splitlines()[0]}). If it computes parts again "
            "(checkpointing) or in inference mode, switch that off; or use ap.shapley, which needs no gradient"
        ) from error


def _gradients(game: Game, trials: Stimuli, path: Sequence[tuple[float, float]], kept: Array) -> Array:
    """Weighted sum of gradients along the path to what is kept, ``(player, trial[, output])``."""
    total: Array | float = 0.0
    interventions = Interventions(game.prep, game.setup.players)
    for place, weight in path:
        gates = (torch.from_numpy(kept) * place).to(torch.float64).repeat(len(trials), 1).requires_grad_()
        tapping = game.prep.tapping()
        for place_of, (tap, joint) in interventions.joints.items():
            if isinstance(joint, Together):
                tapping.write(tap, _Gated(gates, list(joint.families.values())))
            elif isinstance(joint, (ReceiverCuts, StreamCuts)):
                plan_cuts(tapping, place_of, joint, _gated_cuts(gates, joint))
        with grad_enabled(True), tapping:
            outputs = game.prep.forward(trials, game.score.needs == "last")
            scores = game.score.raw(outputs, trials, len(trials))
            if not scores.requires_grad:
                raise InputError(
                    f"score {game.score.name!r} has no gradient (a count or threshold, or the network detaches "
                    "it); use a smooth one such as ap.scores.log_prob, or ap.shapley"
                )
            columns = scores[:, None] if scores.ndim == 1 else scores
            grads = [_gradient(columns[:, j].sum(), gates) for j in range(columns.shape[1])]
        found = torch.stack(grads, dim=-1).detach().cpu().numpy().transpose(1, 0, 2)
        found[~kept] = 0.0
        total = total + weight * (found[..., 0] if scores.ndim == 1 else found)
    if not np.isfinite(total).all():
        raise InputError(f"the gradient of score {game.score.name!r} is NaN or infinite on some trials")
    return np.asarray(total)


def _gated_cuts(gates: Tensor, joint: ReceiverCuts | StreamCuts) -> Write:
    """A write function in which what each connection carries is mixed in by its gate."""
    return lambda x, at: joint.without(x, at, (1 - gates).to(torch.promote_types(x.dtype, torch.float32)))


class _Gated:
    """A write function in which a player's lesion is mixed in by one minus its gate."""

    def __init__(self, gates: Tensor, families: Sequence[Sequence[Part]]) -> None:
        self.gates, self.families = gates, families

    def __call__(self, x: Tensor, at: At) -> Tensor:
        new = x
        for members in self.families:
            for share, value in self._pieces(x, at, members):
                new = new + (share * (value - x)).to(x.dtype)
        return new

    def _pieces(self, x: Tensor, at: At, members: Sequence[Part]) -> Iterator[tuple[Tensor, Tensor]]:
        off = (1 - self.gates).to(x.device, torch.promote_types(x.dtype, torch.float32))
        first = members[0][1]
        axis = first.unit_axis
        if first.lesion.kind == "project":
            if len(members) > 1:
                raise LesionError("projections of one span have no gates of their own; use ap.shapley")
            yield self._share(off[:, members[0][0]], first.selection(x, at), x), projected(x, at, [first])
        elif axis is None or any(w.lesion.units is None for _, w in members):
            for player, writer in members:
                yield self._share(off[:, player], writer.selection(x, at), x), writer.replacement(x, at)
        else:
            place = at.axes.index(axis)
            players = [p for p, w in members for _ in w.units()]
            units = torch.tensor([u for _, w in members for u in w.units()]).to(x.device)
            # Gathered, not written in place: every unit reads its player's gate, or that of nobody.
            owner = torch.full((x.shape[place],), off.shape[1], device=x.device)
            owner[units] = torch.tensor(players).to(x.device)
            padded = torch.cat([off, off.new_zeros(len(off), 1)], dim=1)
            yield along(padded[:, owner], x.ndim, place) * first.times(x, at), first.replacement(x, at)

    @staticmethod
    def _share(off: Tensor, selection: Tensor, x: Tensor) -> Tensor:
        return off.reshape([-1] + [1] * (x.ndim - 1)) * selection
