"""Estimates of Shapley values by other packages: msapy, shapiq and captum.

References: Fakhar & Hilgetag 2022, Systematic perturbation of an artificial neural network: a step towards quantifying
causal contributions in the brain (msapy); Muschalik et al. 2024, shapiq: Shapley interactions for machine learning;
Kokhlikyan et al. 2020, Captum: a unified and generic model interpretability library for PyTorch.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from artiphys.array_types import Array
from artiphys.lesions import Game
from artiphys.verification.methods import InapplicableError

N_PERMUTATIONS = 1000
MAX_COALITIONS = 2048
MIN_PLAYERS = 3


def by_msapy(game: Game) -> Array:
    """msapy's permutations; it takes sets of what is lesioned."""
    import typeguard
    from msapy import msa

    # Its checks are of another version's: newer ones refuse what it hands to itself.
    unchecked = getattr(typeguard, "suppress_type_checks", contextlib.nullcontext)
    play = _remembering(game)

    def objective(complements: tuple[int, ...]) -> float:
        kept = np.ones(game.n_players, dtype=bool)
        kept[list(complements)] = False
        return play(kept)

    if game.n_players < MIN_PLAYERS:
        raise InapplicableError("msapy needs three elements")
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        unchecked(),
    ):
        warnings.simplefilter("ignore")  # theirs
        table: Any = msa.interface(
            elements=list(range(game.n_players)), n_permutations=N_PERMUTATIONS, objective_function=objective,
            n_parallel_games=1, rng=np.random.default_rng(1), lazy=False,
        )  # fmt: skip
    return np.asarray(table.shapley_values, dtype=float)


def _remembering(game: Game) -> Callable[[Array], float]:
    """One coalition at a time, of which these packages ask for the same again and again."""
    known: dict[bytes, float] = {}

    def play(kept: Array) -> float:
        key = kept.tobytes()
        if key not in known:
            known[key] = float(game(kept[None])[0])
        return known[key]

    return play


def by_kernel_shap(game: Game) -> Array:
    """shapiq's KernelSHAP, paired."""
    from shapiq.approximator import KernelSHAP

    estimator = KernelSHAP(n=game.n_players, pairing_trick=True, random_state=0)
    return _shapiq(estimator, game, min(2**game.n_players, MAX_COALITIONS))  # without replacement: no more there are


def by_permutations(game: Game) -> Array:
    """shapiq's sampling of permutations."""
    from shapiq.approximator import PermutationSamplingSV

    return _shapiq(PermutationSamplingSV(n=game.n_players, random_state=0), game, _budget(game))


def by_svarm(game: Game) -> Array:
    """shapiq's stratified sampling without marginal contributions."""
    from shapiq.approximator import SVARM

    return _shapiq(SVARM(n=game.n_players, random_state=0), game, _budget(game))


def by_proxy_shap(game: Game) -> Array:
    """shapiq's ProxySHAP, which newer versions have."""
    from shapiq import approximator

    proxy: Any = getattr(approximator, "ProxySHAP", None)
    if proxy is None:
        raise InapplicableError("this version of shapiq has no ProxySHAP")
    return _shapiq(proxy(n=game.n_players, random_state=0), game, min(2**game.n_players, MAX_COALITIONS))


def _budget(game: Game) -> int:
    """As many evaluations as msapy's and captum's permutations make."""
    return N_PERMUTATIONS * (game.n_players - 1) + 2


def _shapiq(approximator: Any, game: Game, budget: int) -> Array:
    n = game.n_players
    if n < MIN_PLAYERS:
        raise InapplicableError("shapiq's estimators need three players")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs

        def lifted(coalitions: Array) -> Array:
            values: Array = game(np.asarray(coalitions, dtype=bool))
            return np.asarray(values - game.lesioned)

        found = approximator.approximate(budget, lifted)
    return np.array([float(found[(i,)]) for i in range(n)])


def by_captum(game: Game) -> Array:
    """captum's ShapleyValueSampling; its features are masks of players."""
    from captum.attr import ShapleyValueSampling

    play = _remembering(game)

    def forward(masks: Tensor) -> Tensor:
        return torch.tensor([play(row) for row in masks.numpy() > 0.5])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs
        torch.manual_seed(0)
        found = ShapleyValueSampling(forward).attribute(
            torch.ones(1, game.n_players), baselines=0, n_samples=N_PERMUTATIONS, perturbations_per_eval=256
        )
    return np.asarray(found[0].detach().numpy())
