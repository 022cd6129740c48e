"""Information that single units carry about a stimulus."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer, Num

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.probes.mutual_information.tables import panzeri_treves_bias, plugin_bits


@dataclass(frozen=True)
class UnitInformation:
    """Information of every unit.

    Attributes
    ----------
    bits, stderr, bias : ``(unit,)``
        ``bias`` is what was taken off.
    n_trials : int
    """

    bits: Float[Array, " unit"]
    stderr: Float[Array, " unit"]
    bias: Float[Array, " unit"]
    n_trials: int


def skaggs_information(
    rates: Float[Array, "unit level"], sem: Float[Array, "unit level"], n: Float[Array, " level"]
) -> UnitInformation:
    """Bits per spike, less the bias of few spikes; see `Tuning.information`.

    The bias of a flat unit is (B - 1) / (2 N ln 2) for B values and N spikes of Poisson variability; with more or less
    variable spikes it grows with their Fano factor. The standard error is that of the curve, passed on linearly.

    Parameters
    ----------
    rates, sem : ``(unit, level)``
        Mean activity and its standard error.
    n : ``(level,)``
        Trials of each level.
    """
    bits, p, spikes = skaggs(rates, n), n / n.sum(), rates @ n
    with np.errstate(invalid="ignore", divide="ignore"):
        known = ~np.isnan(sem)  # of values with one trial the variance is unknown
        fano = np.nansum(sem**2 * n**2, axis=1) / np.where(known, rates * n, 0.0).sum(axis=1)
        bias = fano * (len(n) - 1) / (2 * spikes * math.log(2))
        mean = (rates * p).sum(axis=1, keepdims=True)
        slope = np.where(rates > 0, p / mean * (np.log2(rates / mean) - bits[:, None]), 0.0)
    error = np.sqrt(((slope * np.where(known, sem, np.sqrt(fano[:, None] * rates / n))) ** 2).sum(axis=1))
    return UnitInformation(bits - bias, error, bias, int(n.sum()))


def skaggs(rates: Float[Array, "*unit level"], occupancy: Num[Array, " level"]) -> Float[Array, "*unit"]:
    """sum p (r/m) log2(r/m) with m the mean rate [bits per spike], over the last axis.

    Reference: Skaggs et al. 1993, An information-theoretic approach to deciphering the hippocampal code.
    """
    p = occupancy / occupancy.sum()
    mean = (rates * p).sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(mean > 0, rates / mean, np.nan)
        each = np.where(ratio > 0, p * ratio * np.log2(ratio), np.where(np.isnan(ratio), np.nan, 0.0))
    return np.asarray(each.sum(axis=-1))


def shannon_information(
    blocks: Iterable[Array], level: Integer[Array, " trial"], n_levels: int, bins: int
) -> UnitInformation:
    """Bits between the stimulus and activity in equally filled classes; see `Tuning.information`.

    Parameters
    ----------
    blocks : iterable of ``(trial, unit)``
    level : int ``(trial,)``
    n_levels : int
    bins : int
        Classes of activity.
    """
    if bins < 2:
        raise InputError(f"bins came as {bins}; wanted at least 2")
    member = (level == np.arange(n_levels)[:, None]).astype(float)
    parts = []
    for x in blocks:
        edges = np.nanquantile(x, np.linspace(0, 1, bins + 1)[1:-1], axis=0)
        code = (x[None] > edges[:, None]).sum(axis=0)
        counts = np.stack([member @ ((code == b) & ~np.isnan(x)) for b in range(bins)], axis=-1)
        parts.append(counts.transpose(1, 0, 2))  # (unit, level, bin)
    every = np.concatenate(parts)
    bias = panzeri_treves_bias(every)
    n_trials = int(every.sum(axis=(1, 2)).min())
    return UnitInformation(plugin_bits(every) - bias, _bits_error(every), bias, n_trials)


def _bits_error(counts: Float[Array, "unit level bin"]) -> Float[Array, " unit"]:
    """Standard error of the plug-in information by the delta method ``(unit,)``."""
    p = counts / counts.sum(axis=(1, 2), keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        each = np.where(p > 0, np.log2(p / (p.sum(axis=2, keepdims=True) * p.sum(axis=1, keepdims=True))), 0.0)
    mean = (p * each).sum(axis=(1, 2))
    var = (p * each**2).sum(axis=(1, 2)) - mean**2
    return np.asarray(np.sqrt(np.maximum(var, 0.0) / counts.sum(axis=(1, 2))))
