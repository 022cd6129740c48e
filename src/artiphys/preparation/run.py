"""One forward pass: what it gives, and how what is read on the way is kept."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from artiphys.adapters.adapter import Adapter
from artiphys.border import shown
from artiphys.errors import InputError, SiteError
from artiphys.hooks.changes import grad_enabled
from artiphys.hooks.tapping import Tapping
from artiphys.hooks.taps import At, Frame, StopForwardError, Tap
from artiphys.sites import Site
from artiphys.stimuli import Inputs, Stimuli


@dataclass(frozen=True)
class Run:
    """One forward pass: the model's outputs, and the activity that was read (site -> tensor, trial-first)."""

    outputs: Any
    activity: Mapping[str, Tensor] = field(default_factory=dict)


def read_run(
    tapping: Tapping, taps: Mapping[str, Tap], stop: str | None, before: bool, forward: Callable[[], Any]
) -> Run:
    """One forward pass with a tapping's writes that reads some taps.

    Parameters
    ----------
    taps : mapping of str to Tap
        What is read, by name.
    stop : str, optional
        End the pass once this one is computed.
    before : bool
        Read the values before any hook.
    """
    parts_of: dict[str, list[Tensor]] = {name: [] for name in taps}
    for name, tap in taps.items():
        tapping.read(tap, _keeper(tapping.frame, name, parts_of, name == stop), before=before)
    outputs: Any = None
    with tapping, contextlib.suppress(StopForwardError):
        outputs = forward()
    activity = {}
    for name, parts in parts_of.items():
        if not parts and stop is None:
            raise SiteError(f"site {name!r} did not fire on these inputs")
        if parts:
            activity[name] = torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]
    return Run(outputs, activity)


def _keeper(frame: Frame, name: str, parts_of: dict[str, list[Tensor]], stop: bool) -> Callable[[Tensor, At], None]:
    """What is done with a value of one site that is read: its steps in order; the pass ends where it should."""

    def keep(x: Tensor, at: At) -> None:
        if at.time is not None and at.site.stepped and parts_of[name] and name.endswith("_reverse"):
            parts_of[name].insert(0, x)  # the backward direction comes last step first
        else:
            parts_of[name].append(x)
        frame.activity[name] = x
        last = not at.site.stepped or (at.n_time is not None and len(parts_of[name]) == at.n_time)
        if stop and last:
            raise StopForwardError

    return keep


def check_request(read: Any, write: Any, stop_at: Any, when: Any) -> None:
    """`InputError` unless a run was asked for with names of sites, and functions by name."""
    names = [read] if isinstance(read, str) else read
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise InputError(f"read came as {shown(read)}; wanted the name of a site, a pattern, or a list of them")
    if write is not None and not isinstance(write, Mapping):
        raise InputError(f"write came as {shown(write)}; wanted functions by site, such as {{'hidden': fn}}")
    for name, fn in (write or {}).items():
        if not callable(fn):
            raise InputError(f"write at {name!r} came as {type(fn).__name__}; wanted a function fn(x, at)")
    if stop_at is not None and not isinstance(stop_at, str):
        raise InputError(f"stop_at came as {shown(stop_at)}; wanted the name of a site")
    if not isinstance(when, str) or when not in ("after", "before"):
        raise InputError(f"when came as {shown(when)}; wanted 'after' or 'before'")


def n_times(run: Callable[..., Run], adapter: Adapter, site: Site, stimuli: Stimuli) -> int:
    """Times that a site has in every trial of the stimuli."""
    with grad_enabled(False):
        x = run(stimuli[:1], read=site.name).activity[site.name]
    n = x.shape[1 + site.axis("time")]
    valid = adapter.valid(stimuli, site, n)
    return n if valid is None else int(valid.sum(dim=1).min())


def shapes(inputs: Inputs) -> str:
    """Shapes of inputs, for messages."""
    if isinstance(inputs, Mapping):
        return ", ".join(f"{k} {tuple(v.shape)}" for k, v in inputs.items())
    return str(tuple(inputs.shape))


def require_right_type(error: RuntimeError, inputs: Inputs) -> None:
    """`InputError` if a network failed for the shape or type of what it was given."""
    if re.search(r"dtype|scalar type|shape|size|dimension|expected", str(error), re.IGNORECASE):
        tensors = inputs if isinstance(inputs, Mapping) else {"inputs": inputs}
        given = ", ".join(f"{k} {tuple(t.shape)} {str(t.dtype).removeprefix('torch.')}" for k, t in tensors.items())
        raise InputError(f"the network does not take these inputs ({given}): {error}") from error
