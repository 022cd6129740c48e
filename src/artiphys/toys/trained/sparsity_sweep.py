"""Superposition over sparsity: 80 features in 2 to 40 units, trained at seven probabilities.

Reference: Elhage et al. 2022, Toy models of superposition.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from artiphys.toys.trained.stored_weights import read_weights
from artiphys.toys.trained.superposition import dimensionality

REPRESENTED = 0.5  # a feature with a shorter direction is mostly lost


def superposition_sweep() -> xr.Dataset:
    """How many features the best of three trained networks holds, for each number of units and each probability.

    Trained by ``python -m artiphys.toys.trained.training.superposition --sweep``.

    Returns
    -------
    Dataset over ``unit`` (number of hidden units) and ``probability`` (that a feature is there)
        ``represented``: features with a direction longer than .5; ``per_unit``: these by the number of units;
        ``squared_length``: sum of |W_i|^2 by the number of units, 1 without superposition (Elhage et al. 2022, Toy
        models of superposition); ``dimensionality``: median D of the represented; ``error``: squared error per trial,
        by that of an output that is always 0.

    >>> sweep = superposition_sweep()
    >>> dict(sweep.sizes)
    {'unit': 7, 'probability': 7}
    >>> sweep["represented"].sel(unit=10, probability=[0.5, 0.01]).values.tolist()
    [18, 80]
    """
    stored = read_weights("superposition_sweep")
    p = stored["probability"].numpy()
    units = sorted(int(k[2:].partition(".")[0]) for k in stored if k.endswith(".directions"))
    tables: dict[str, list[list[float]]] = {
        name: [] for name in ("represented", "per_unit", "squared_length", "dimensionality", "error")
    }
    for m in units:
        w = stored[f"m={m}.directions"].double().numpy()
        length = np.linalg.norm(w, axis=2)
        there = length > REPRESENTED
        tables["represented"].append(there.sum(axis=1).tolist())
        tables["per_unit"].append((there.sum(axis=1) / m).tolist())
        tables["squared_length"].append(((w**2).sum(axis=(1, 2)) / m).tolist())
        shares = [dimensionality(one)[kept] for one, kept in zip(w, there)]
        tables["dimensionality"].append([float(np.median(d)) if len(d) else np.nan for d in shares])
        silent = w.shape[1] * p / 3  # E[x^2] = p / 3 each
        tables["error"].append((stored[f"m={m}.errors"].double().numpy().min(axis=1) / silent).tolist())
    columns = {name: (("unit", "probability"), np.array(rows)) for name, rows in tables.items()}
    return xr.Dataset(columns, coords={"unit": units, "probability": p})
