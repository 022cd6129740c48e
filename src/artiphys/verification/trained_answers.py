"""What artiphys' own analyses say of toys whose truth lies in how units are tuned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from artiphys.probes import tuning_curves
from artiphys.recording import record
from artiphys.toys.toy import Toy, Truth
from artiphys.verification.methods import Case, Method

LEFT_OUT = 0.1  # a feature that moves the units less is not represented


def _curves(case: Case, site: str, stimulus: Any) -> Any:
    """Mean activity ``(unit, stimulus)`` of one site for each value of a condition, or of the labels."""
    activity = record(case.prep, case.toy.stimuli, [site], progress=False)
    return tuning_curves(activity[site], stimulus, progress=False).curves.transpose("unit", "stimulus")


def _dimensionality(case: Case) -> Mapping[str, float]:
    """The share of a dimension that each feature has among those that the units respond to, each shown alone."""
    curves = _curves(case, case.toy.players[0], "shown").transpose("stimulus", "unit")
    shown = [str(s) for s in curves["stimulus"].to_numpy() if str(s).startswith("feature.")]
    responses = curves.sel(stimulus=shown).to_numpy()
    strength = np.linalg.norm(responses, axis=1)
    there = strength >= LEFT_OUT
    overlap = (responses[there] / strength[there, None] @ responses[there].T) ** 2
    shares = strength[there] ** 2 / overlap.sum(axis=1)
    return dict(zip(np.array(shown)[there].tolist(), shares.tolist()))


def _waves(case: Case) -> Mapping[str, float]:
    """The strongest harmonic of each unit's tuning to the sum of two numbers: its frequency, cosine and sine."""
    values: dict[str, float] = {}
    for site in dict.fromkeys(key.partition(" ")[0].rpartition(".")[0] for key in case.truth.expected):
        curves = _curves(case, site, "sum_name").to_numpy()
        harmonics = np.fft.rfft(curves, axis=1) * 2 / curves.shape[1]
        for u, k in enumerate(1 + np.abs(harmonics)[:, 1:].argmax(axis=1)):
            of_unit = (float(k), harmonics[u, k].real, -harmonics[u, k].imag)
            values |= {f"{site}.{u} {what}": float(v) for what, v in zip(("frequency", "cos", "sin"), of_unit)}
    return values


def _tuning(case: Case) -> Mapping[str, float]:
    """Mean activity of units for each of the toy's labels."""
    (site,) = {key.partition(" ")[0].rpartition(".")[0] for key in case.truth.expected}
    curves = _curves(case, site, case.toy.labels)
    labels, rows = [str(label) for label in curves["stimulus"].to_numpy()], curves.to_numpy()
    return {f"{site}.{u} to {label}": float(rows[u, k]) for u in range(len(rows)) for k, label in enumerate(labels)}


def _of(analysis: str) -> Callable[[Toy, Truth], bool]:
    return lambda toy, truth: truth.analysis == analysis


METHODS: tuple[Method, ...] = (
    Method("tuning_curves dimensionality", _dimensionality, _of("dimensionality")),
    Method("tuning_curves waves", _waves, _of("waves")),
    Method("tuning_curves means", _tuning, _of("tuning")),
)
