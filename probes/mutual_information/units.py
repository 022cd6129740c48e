"""Information that single units carry about a stimulus."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.probes.mutual_information.tables import Information, panzeri_treves_bias, plugin_bits

if TYPE_CHECKING:
    from artiphys.probes.tuning.result import Tuning


def skaggs_information(tuning: Tuning, rates: Array) -> Information:
    """Bits a spike, less the bias of few spikes; see `Tuning.information`.

    The bias of a flat unit is (B - 1) / (2 N ln 2) for B values and N spikes of Poisson variability; with more or less
    variable spikes it grows with their Fano factor. The standard error is that of the curve, passed on linearly.
    """
    n = tuning.n.to_numpy().astype(float).ravel()
    shape = rates.shape[: -len(tuning.dims)]
    rates, sem = rates.reshape(-1, len(n)), tuning.sem.to_numpy().reshape(-1, len(n))
    bits, p, spikes = skaggs(rates, n), n / n.sum(), rates @ n
    with np.errstate(invalid="ignore", divide="ignore"):
        fano = np.nansum(sem**2 * n**2, axis=1) / spikes
        bias = fano * (len(n) - 1) / (2 * spikes * math.log(2))
        mean = (rates * p).sum(axis=1, keepdims=True)
        slope = np.where(rates > 0, p / mean * (np.log2(rates / mean) - bits[:, None]), 0.0)
    error = np.sqrt(((slope * sem) ** 2).sum(axis=1))
    value, stderr, less = (tuning.of_unit(a.reshape(shape)) for a in (bits - bias, error, bias))
    return Information(value, stderr, less, "skaggs", int(n.sum()))


def shannon_information(tuning: Tuning, bins: int) -> Information:
    """Bits between the stimulus and activity in equally filled classes; see `Tuning.information`."""
    assert tuning.units is not None
    if bins < 2:
        raise InputError(f"bins came as {bins}; wanted at least 2")
    if tuning.confounds:
        raise InputError("Shannon information is of the activity as it came; call tuning_curves without confounds")
    level = np.ravel_multi_index([lv.of_trial for lv in tuning.levels], tuning.n.shape)
    member = (level == np.arange(math.prod(tuning.n.shape))[:, None]).astype(float)
    parts = []
    for _, x in tuning.units.blocks():
        edges = np.nanquantile(x, np.linspace(0, 1, bins + 1)[1:-1], axis=0)
        code = (x[None] > edges[:, None]).sum(axis=0)
        counts = np.stack([member @ ((code == b) & ~np.isnan(x)) for b in range(bins)], axis=-1)
        parts.append(counts.transpose(1, 0, 2))  # (unit, level, bin)
    every = np.concatenate(parts)
    bias = panzeri_treves_bias(every)
    shape = tuning.curves.shape[: -len(tuning.dims)]
    found = (plugin_bits(every) - bias, _bits_error(every), bias)
    value, stderr, less = (tuning.of_unit(a.reshape(shape)) for a in found)
    return Information(value, stderr, less, "panzeri-treves", int(every.sum(axis=(1, 2)).min()))


def _bits_error(counts: Array) -> Array:
    """Standard error of the plug-in information by the delta method ``(unit,)``."""
    p = counts / counts.sum(axis=(1, 2), keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        each = np.where(p > 0, np.log2(p / (p.sum(axis=2, keepdims=True) * p.sum(axis=1, keepdims=True))), 0.0)
    mean = (p * each).sum(axis=(1, 2))
    var = (p * each**2).sum(axis=(1, 2)) - mean**2
    return np.asarray(np.sqrt(np.maximum(var, 0.0) / counts.sum(axis=(1, 2))))


def skaggs(rates: Array, occupancy: Array) -> Array:
    """sum p (r/m) log2(r/m) with m the mean rate [bits a spike], over the last axis.

    Reference: Skaggs et al. 1993, An information-theoretic approach to deciphering the hippocampal code.
    """
    p = occupancy / occupancy.sum()
    mean = (rates * p).sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(mean > 0, rates / mean, np.nan)
        each = np.where(ratio > 0, p * ratio * np.log2(ratio), np.where(np.isnan(ratio), np.nan, 0.0))
    return np.asarray(each.sum(axis=-1))
