"""Padded rows of tokens: which positions are real, how positions are counted, and what a network makes of padding."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from artiphys.errors import InputError

MASK, POSITIONS = "attention_mask", "position_ids"


@dataclass
class Padding:
    """How one network is given padded rows.

    Attributes
    ----------
    first_position : int or None
        Position that each row's first real token is given; None where the network counts positions itself.
    refused : dict of "left" and "right" to str
        Sides on which padding changes what the network computes for real tokens, and how it does.
    """

    first_position: int | None
    refused: dict[str, str]


def padded_sides(mask: Tensor | None) -> list[str]:
    """Sides on which a mask ``(row, position)`` has padding; what is masked in between belongs to neither."""
    if mask is None or mask.ndim != 2:
        return []
    return [side for side, column in (("left", 0), ("right", -1)) if not bool(mask[:, column].all())]


def with_positions(kwargs: Mapping[str, Any], padding: Padding, accepts: set[str]) -> dict[str, Any]:
    """Inputs whose mask is left out where nothing is padded, and whose positions count real tokens.

    Raises
    ------
    InputError
        If padding on a side would change the outputs of real tokens.
    """
    given = dict(kwargs)
    for name in (MASK, f"decoder_{MASK}"):
        if given.get(name) is not None and bool(given[name].bool().all()):
            given[name] = None
    mask = given.get(MASK)
    if mask is not None and mask.ndim == 2 and not bool(mask.bool().any(dim=1).all()):
        raise InputError("the mask of a trial holds no real position; leave this trial out")
    sides = padded_sides(mask)
    of_decoder = [f"{side} of the decoder" for side in padded_sides(given.get(f"decoder_{MASK}"))]
    for side in (*sides, *of_decoder):
        if side in padding.refused:
            raise InputError(
                f"these trials are padded on the {side}, and {padding.refused[side]}. Give trials of one length, "
                + (
                    "or pad on the right"
                    if side.startswith("left") and "right" not in padding.refused
                    else "one length a batch"
                )
            )
    first = padding.first_position
    if "left" in sides and mask is not None and first is not None and POSITIONS in accepts - given.keys():
        given[POSITIONS] = positions_of(mask, first)
    return given


def mask_argument(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
    """Bool ``(row, position)``: the mask among the arguments of a call, by its name; None if there is none."""
    mask = kwargs.get(MASK)
    if mask is None and len(args) > 1:
        names = [n for n in inspect.signature(model.forward).parameters if n != "self"]
        mask = dict(zip(names, args)).get(MASK)
    return mask.bool() if isinstance(mask, Tensor) and mask.ndim == 2 else None


def positions_of(mask: Tensor, first: int) -> Tensor:
    """``(row, position)`` number of each token, counted over real ones from ``first``."""
    return (mask.long().cumsum(-1) - 1).clamp(min=0) + first


def last_real(mask: Tensor) -> Tensor:
    """``(trial,)`` position of each trial's last real token."""
    position = torch.arange(mask.shape[1], device=mask.device)
    return torch.where(mask.bool(), position, -1).amax(dim=1)


def last_position(values: Tensor, last: Tensor | None, n_trials: int | None = None) -> Tensor:
    """Each trial's output at its last real position: ``(trial, time, ...)`` -> ``(trial, ...)``."""
    if values.ndim < 3:
        return values
    if last is None:
        return values[:, -1]
    # The batch may have grown since the mask was given: trials come again every n_trials rows.
    period = last[: n_trials or len(last)]
    row = torch.arange(len(values), device=values.device)
    return values[row, period.repeat(len(values) // len(period)).to(values.device)]
