"""Wiring: whether what is written at a site reaches the output of the network."""

from __future__ import annotations

import contextlib
import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from artiphys.adapters.adapter import without_trace
from artiphys.errors import ArtiphysError, SiteError
from artiphys.hooks.changes import Changes
from artiphys.hooks.nested import leaves
from artiphys.hooks.taps import At, Write
from artiphys.sites import Site

RunExample = Callable[[dict[str, Write]], Any]


# What TransformerLens warns of the very edits that are tried here.
OF_EDITS = ("A forward hook edited hook_scale/hook_normalized", "A hook on .* returned a modified tensor")
_NUMBERS = itertools.count()


class Wiring:
    """Sites of one network that were seen to reach its output.

    Parameters
    ----------
    model : Module
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self._wired: set[str] = set()
        self._intact: tuple[object, list[Tensor]] | None = None

    def require(self, site: Site, run: RunExample, state: Callable[[], tuple[str, tuple[str, ...]]]) -> None:
        """`SiteError` if the site is inert; checked once by writing NaN there.

        A threshold or an argmax may swallow NaN; a large random change is then tried as well.

        Parameters
        ----------
        run : callable
            Runs the network on its example, with the given writes by site.
        state : callable
            Gives the fingerprint of the network and the names of the writes in force, for which the intact outputs
            are remembered.
        """
        if site.name in self._wired:
            return
        if not site.dtype.is_floating_point:
            raise SiteError(f"site {site.name!r} holds integers ({site.dtype}) and cannot be lesioned")
        probes: list[Write] = [lambda x, at: torch.full_like(x, torch.nan), _shaken(1), _shaken(2)]
        with without_trace(self.model), Changes() as changes:
            for message in OF_EDITS:
                _ignore(changes, message)
            now = state()
            if self._intact is None or self._intact[0] != now:
                self._intact = (now, _outputs(run, {}))
            intact = self._intact[1]
            if not intact:
                raise SiteError(
                    f"the output of this network ({type(run({}).outputs).__name__}) holds no tensor "
                    "that can be looked at; return a tensor, or tuples, mappings or dataclasses of them"
                )
            failed: Exception | None = None
            for probe in probes:
                try:
                    changed = _outputs(run, {site.name: probe})
                except (RuntimeError, Warning) as error:  # such as quantised arithmetic, which takes no NaN
                    failed = error
                    continue
                if len(changed) != len(intact) or any(_differ(a, b) for a, b in zip(intact, changed)):
                    self._wired.add(site.name)
                    return
        if failed is not None and not isinstance(failed, ArtiphysError):
            raise SiteError(f"what is written at site {site.name!r} makes the network fail: {failed}") from failed
        if now[1]:
            return  # a lesion downstream may swallow every probe; nothing is known, so nothing is refused
        raise SiteError(
            f"site {site.name!r} is inert: it can be recorded, but what is written there does not reach the "
            "output. Choose another site of the same quantity"
        )


def _outputs(run: RunExample, write: dict[str, Write]) -> list[Tensor]:
    return [t.detach().clone() for _, t in leaves(run(write).outputs)]


def _differ(intact: Tensor, changed: Tensor) -> bool:
    # More than rounding: some hooks, when edited, only switch TransformerLens to another order of sums.
    if intact.shape != changed.shape:
        return True
    if not intact.is_floating_point():
        return not torch.equal(intact, changed)
    scale = float(intact.abs().nan_to_num().max()) if intact.numel() else 0.0
    return not torch.allclose(intact, changed, rtol=1e-3, atol=1e-3 * scale, equal_nan=True)


def _shaken(seed: int) -> Write:
    def shake(x: Tensor, at: At) -> Tensor:
        noise = np.random.default_rng(seed).normal(scale=100.0, size=tuple(x.shape))
        return x + torch.as_tensor(noise).to(x)

    return shake


def _ignore(changes: Changes, message: str) -> None:
    """Ignore warnings that begin with a regular expression, until the changes are undone.

    `warnings.catch_warnings` would put back all filters that there were, also those of another thread that were in
    force for a while; this takes out the one that it put in.
    """
    own = f"(?#{next(_NUMBERS)}){message}"  # a comment in the expression, by which it is no other's
    changes.undone_by(_regard, own)
    warnings.filterwarnings("ignore", message=own)


def _regard(message: str) -> None:
    for entry in [f for f in warnings.filters if getattr(f[1], "pattern", None) == message]:
        with contextlib.suppress(ValueError):
            warnings.filters.remove(entry)  # type: ignore[attr-defined]
