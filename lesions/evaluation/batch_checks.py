"""Batch checks: whether a batch of coalitions gives what a forward pass for each gives, before it is trusted."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from torch import Tensor

from artiphys.hooks.nested import leaves
from artiphys.lesions.evaluation.layout import Layout
from artiphys.lesions.evaluation.prefix_tree import in_order
from artiphys.lesions.evaluation.runner import Runner
from artiphys.user_warnings import warn

logger = logging.getLogger("artiphys")
MAX_GROWN_DIFFERENCE = 1e-5  # relative: what float32 sums in another order may differ by
N_CHECKED_COALITIONS = 8  # coalitions compared with the plain loop before a model's batches may grow
N_CHECKED_TRIALS = 16
N_HEAVY_COALITIONS, N_HEAVY_TRIALS = 4, 2  # where a coalition costs several forward passes
MAX_MIXED_DIFFERENCE = (
    1e-4  # relative: beyond it, and beyond rounding in the network's precision, a batch mixes its trials
)


def mixing(runner: Runner) -> str:
    """Whether a trial's output depends on the others in its batch, and by how much; empty if it does not."""
    try:
        together, apart = _with_and_without_others(runner)
    except Exception as error:  # noqa: BLE001 (what fails here fails, and is told, in the first block too)
        logger.info("it was not found out whether the network mixes trials: %s", error)
        return ""
    for one, other in zip(together, apart):
        if one.shape != other.shape:
            continue  # it does not hold one row per trial
        if (apart_by := _distance(one, other)) > _mixed_beyond(runner):
            text = f"the network mixes the trials of a batch (relative difference {apart_by:.2g})"
            warn(f"{text}, so that each coalition is a forward pass of its own")
            return text
    return ""


def _with_and_without_others(runner: Runner) -> tuple[list[Tensor], list[Tensor]]:
    """Outputs of a batch, and of its parts by themselves: the intact network's on some trials, or, of one trial,
    intact and lesioned."""
    trials = runner.setup.trials[: min(N_CHECKED_TRIALS, len(runner.setup.trials))]
    intact = np.ones((1, runner.setup.n_players), dtype=bool)
    with runner.running(runner.plain):
        if len(trials) > 1:
            half = len(trials) // 2
            together = _flat(runner.outputs(intact, trials, 1))
            parts = [_flat(runner.outputs(intact, part, 1)) for part in (trials[:half], trials[half:])]
        else:
            together = _flat(runner.outputs(np.vstack([intact, ~intact]), trials, 2))
            parts = [_flat(runner.outputs(row, trials, 1)) for row in (intact, ~intact)]
    return together, [torch.cat(pair) for pair in zip(*parts)]


def _mixed_beyond(runner: Runner) -> float:
    """Relative difference between batches that rounding does not explain."""
    types = [p.dtype for p in runner.prep.model.parameters() if p.is_floating_point()]
    return max(MAX_MIXED_DIFFERENCE, 32 * max((torch.finfo(t).eps for t in types), default=0.0))


def disagreement(runner: Runner, layout: Layout, quiet: bool) -> str:
    """Compare with one forward pass per coalition; empty if they agree."""
    n_trials, n = (N_CHECKED_TRIALS, N_CHECKED_COALITIONS) if runner.is_light else (N_HEAVY_TRIALS, N_HEAVY_COALITIONS)
    trials = runner.setup.trials[: min(n_trials, len(runner.setup.trials))]
    rng = np.random.default_rng(0)
    some = np.unique(rng.random((n, runner.setup.n_players)) < rng.random((n, 1)), axis=0)
    some = some[in_order(~some, layout.first_stage)]
    try:
        with runner.running(layout):
            grown = _flat(runner.outputs(some, trials, 3))
    except Exception as error:  # noqa: BLE001 (a model this breaks is evaluated without it)
        return f"the batch cannot grow between stages ({type(error).__name__}: {str(error)[:120]})"
    with runner.running(runner.plain):
        batched = _flat(runner.outputs(some, trials, len(some)))
        single = [_flat(runner.outputs(c[None], trials, 1)) for c in some]
    looped = [torch.cat(parts) for parts in zip(*single)]
    if [t.shape for t in grown] != [t.shape for t in looped]:
        return "the outputs of a batch that grows have another shape"
    for a, b, ref in zip(grown, batched, looped):
        allowed = max(
            MAX_GROWN_DIFFERENCE, 3 * _distance(b, ref)
        )  # batching alone may differ as much in half precision
        if _distance(a, ref) > allowed:
            text = f"a batch that grows gave other outputs (relative difference {_distance(a, ref):.2g})"
            if not quiet:
                warn(f"{text}; coalitions of this model are batched instead")
            return text
    return ""


def _flat(outputs: Any) -> list[Tensor]:
    return [t.detach().to(torch.float64).cpu() for _, t in leaves(outputs) if t.ndim > 0]


def _distance(a: Tensor, b: Tensor) -> float:
    if not b.numel():
        return 0.0
    if not torch.equal(torch.isfinite(a), torch.isfinite(b)):
        return float("inf")
    a, b = a.nan_to_num(), b.nan_to_num()
    scale = float(b.abs().max())
    return float((a - b).abs().max()) / scale if scale else float((a - b).abs().max())
