"""Attribution from an estimate: values, errors and provenance with the names of players and outputs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from artiphys.array_types import Array
from artiphys.blas_threads import few_threads
from artiphys.lesions.contributions.result import Attribution, object_index
from artiphys.lesions.contributions.stimulus_error import over_stimuli, trials
from artiphys.lesions.estimators.estimate import Estimate, refusal
from artiphys.lesions.games.protocol import GameLike, distinct
from artiphys.version import __version__


def result_from_estimate(
    game: GameLike,
    estimate: Estimate,
    of_coalitions: Array,
    *,
    players: Sequence[Hashable] | None = None,
    **provenance: Any,
) -> Attribution:
    """An `Attribution` from an estimate and the values of its coalitions ``(coalition[, output])``.

    ``players`` are those that the estimate is of, if not all; ``provenance`` fills the other fields (method, why,
    seed, ...).
    """
    with few_threads():
        # Weights add up to 0: a constant game is exactly 0.
        values = estimate.weights @ (of_coalitions - of_coalitions[1])
        found = over_stimuli(game, estimate.coalitions, estimate.weights, values.shape)
    per_trial = found.per_trial
    make = labelled(game.player_names if players is None else players, outputs_of(game, of_coalitions))
    n_evaluations = distinct(estimate.coalitions)
    refused = refusal(estimate, values, n_evaluations)
    intact, lesioned = of_coalitions[:2]
    return Attribution(
        values=make(values),
        stderr=make(np.zeros(values.shape) if estimate.stderr is None else estimate.stderr.reshape(values.shape)),
        stderr_stimuli=make(found.stderr),
        per_trial=None if per_trial is None else make(per_trial, trials(game, per_trial.shape[1])),
        intact=make(intact) if of_coalitions.ndim > 1 else float(intact),
        lesioned=make(lesioned) if of_coalitions.ndim > 1 else float(lesioned),
        df=None if estimate.df is None else make(estimate.df.reshape(values.shape)),
        n_samples=estimate.n_samples, exact=estimate.stderr is None, kind=str(game.kind), score=game.score.name,
        unit=game.score.unit, version=__version__,
        n_trials=len(game.stimuli) if per_trial is None else per_trial.shape[1],
        refused=refused, level_range=found.level_range, **({"n_evaluations": n_evaluations} | provenance),
    )  # fmt: skip


def joined(parts: Sequence[Attribution]) -> Attribution:
    """One attribution of the players of several, which agree in all else."""
    if len(parts) == 1:
        return parts[0]
    arrays = {}
    for name in ("values", "stderr", "stderr_stimuli", "per_trial", "df"):
        found = [getattr(part, name) for part in parts]
        if all(a is not None for a in found):
            arrays[name] = xr.concat(found, dim="player")
    # Each saw its own coalitions: few levels in all of them are few.
    ranges = np.max([part.level_range for part in parts], axis=0)
    return replace(parts[0], level_range=ranges if np.ndim(ranges) else float(ranges), **arrays)


def outputs_of(game: GameLike, values: Array) -> Sequence[Hashable] | None:
    """Names of the score's outputs, from values ``(coalition[, output])``; None where it has one."""
    if values.ndim == 1:
        return None
    return getattr(game.score, "outputs", None) or list(range(values.shape[1]))


def labelled(
    players: Sequence[Hashable], outputs: Sequence[Hashable] | None, dim: str = "player"
) -> Callable[..., xr.DataArray]:
    """How arrays of values ``([player][, trial][, output])`` become labelled ones; ``dim`` names the first axis."""
    templates: dict[tuple[int, bool], xr.DataArray] = {}

    def make(data: Array, trials: Any = None) -> xr.DataArray:
        key = data.ndim, trials is not None
        if key not in templates:  # coordinates of objects take longer to make than small games to play
            templates[key] = _template(data, players, trials, outputs, dim)
        return templates[key].copy(data=data)

    return make


def _template(data: Array, players: Sequence[Hashable], trials: Any, outputs: Any, dim: str) -> xr.DataArray:
    dims: list[str] = []
    coords: dict[str, Any] = {}
    if data.ndim - (outputs is not None) > 0:
        dims, coords = [dim], {dim: object_index(players)}
    if trials is not None:
        dims, coords = [*dims, "trial"], coords | {"trial": trials}
    if outputs is not None:
        dims, coords = [*dims, "output"], coords | {"output": object_index(outputs)}
    return xr.DataArray(data, dims=dims, coords=coords)
