"""One mechanism a network: each gadget alone among idle units, and a mixture, in every family of planted networks."""

from __future__ import annotations

import dataclasses
from typing import get_args

import numpy as np

from artiphys.border import border
from artiphys.errors import InputError
from artiphys.toys.families.gadgets import GADGETS, RELAYS
from artiphys.toys.families.planted_circuits import Kind, planted
from artiphys.toys.toy import Toy

FEWEST, MOST = 8, 12  # units: all coalitions of them are soon tried
N_MIXED = 5  # planted units of a mixture
N_TRIALS = 64


@border
def mechanisms(seed: int = 0, *, kinds: tuple[Kind, ...] = get_args(Kind), n: int | None = None) -> list[Toy]:
    """A network for each mechanism: one gadget of planted units among units that are idle; and one mixture.

    Parameters
    ----------
    seed : int
        New networks, of new sizes, for every seed.
    kinds : tuple of str
        Families, as of `planted`. Perceptrons and attention have 11 networks each, recurrent networks 13.
    n : int, optional
        Units. Default: 8 to 12, drawn.

    Examples
    --------
    >>> import artiphys as ap
    >>> [t.name for t in ap.toys.mechanisms(seed=3, kinds=("attention",))][:2]
    ['attention: single, seed 3', 'attention: redundant2, seed 3']
    """
    kinds = (kinds,) if isinstance(kinds, str) else kinds
    if not kinds:
        raise InputError(f"kinds came empty; there are {', '.join(get_args(Kind))}")
    if n is not None and n < N_MIXED:
        raise InputError(f"n came as {n}; wanted {N_MIXED} units or more, as the largest circuit has")
    if unknown := set(kinds) - set(get_args(Kind)):
        raise InputError(f"kinds came with {sorted(unknown)}; there are {', '.join(get_args(Kind))}")
    toys = []
    for kind in kinds:
        every: dict[str, tuple[int, tuple[str, ...] | None]] = {g: (k, (g,)) for g, (k, _) in GADGETS.items()}
        for i, (name, (k, only)) in enumerate((every | {"mixed": (N_MIXED, None)}).items()):
            if name in RELAYS and kind != "recurrent":
                continue
            drawn = int(np.random.default_rng([seed, i]).integers(FEWEST, MOST + 1)) if n is None else n
            toy = planted(drawn, k, seed, kind=kind, gadgets=only, n_trials=N_TRIALS)
            toys.append(dataclasses.replace(toy, name=f"{kind}: {name}, seed {seed}", _prepared=[]))
    return toys
