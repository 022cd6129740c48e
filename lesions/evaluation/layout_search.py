"""Staging: finding the stages of a network between which a batch may grow, each guess checked before it is used."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from torch import nn

from artiphys.adapters.last_block import split_last
from artiphys.adapters.stages import NotStagedError, find_stages
from artiphys.lesions.evaluation.batch_checks import disagreement
from artiphys.lesions.evaluation.layout import Layout
from artiphys.lesions.evaluation.remembered_checks import checks_of
from artiphys.lesions.evaluation.runner import Runner

logger = logging.getLogger("artiphys")
MAX_SPLIT_COST = 0.9  # of the last block in two, by the whole block; beyond it the block stays whole


def find_layout(runner: Runner) -> Layout:
    """The layout of the first guess that gives what the plain loop gives; one without stages if none does."""
    setup, prep = runner.setup, runner.prep
    reasons: list[str] = []
    for guess in prep.adapter.stage_candidates(runner.interventions.taps):
        names = tuple(name for name, _ in guess)
        try:
            layout = _traced(runner, guess)
        except NotStagedError as error:
            reasons.append(str(error))
            continue
        except Exception as error:  # noqa: BLE001 (a guess that breaks the forward is only a wrong guess)
            reasons.append(f"{type(error).__name__}: {error}")
            continue
        if layout.n_stages == 0:
            continue
        split = _split(runner, layout) if setup.score.needs == "last" else None
        if split is not None and not _difference(runner, split, names, quiet=True):
            return split
        difference = _difference(runner, layout, names)
        if not difference:
            return layout
        reasons.append(difference)
    why = "; ".join(dict.fromkeys(reasons)) or "the adapter names no stages for this model"
    logger.info("no computation is shared between coalitions, only batched: %s", why)
    return Layout(runner.plain.growth, runner.plain.first_stage, f"batching only: {why}")


def _traced(runner: Runner, guess: Sequence[tuple[str, nn.Module]]) -> Layout:
    with runner.tracing() as (taps, run):
        stages = find_stages(guess, taps, run)
    return Layout.of(stages, runner.prep, runner.setup.trials, runner.setup.players)


def _split(runner: Runner, layout: Layout) -> Layout | None:
    """The same with the last block in two; None where it cannot be."""
    prep, setup = runner.prep, runner.setup
    wanted_from = prep.adapter.first_wanted(setup.trials.inputs)
    if not wanted_from:
        return None
    try:
        with runner.tracing() as (taps, run):
            stages = split_last(layout.growth.stages, taps, run, wanted_from, prep.adapter.after_last())
    except Exception as error:  # noqa: BLE001 (a block this breaks is computed whole)
        logger.info("the last block is computed at all positions: %s", error)
        return None
    # Of a short prompt most positions are wanted anyway.
    worth = sum(stages.costs[-2:]) < MAX_SPLIT_COST
    return Layout.of(stages, prep, setup.trials, setup.players) if worth else None


def _difference(runner: Runner, layout: Layout, names: Sequence[str], quiet: bool = False) -> str:
    """How a layout differs from the plain loop, found once for a network, sites and form of the stimuli."""
    checks = checks_of(runner.prep)
    key = ("stages", tuple(names), layout.n_stages, *runner.form())
    if key not in checks:
        checks[key] = disagreement(runner, layout, quiet)
    return checks[key]
