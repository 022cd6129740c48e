"""Tapping: hooks that read or write sites for a while, and are always taken off again.

All reads and writes of sites go through here. A `Tapping` puts hooks on and takes exactly those off again, also
after an error or an interrupt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from artiphys.errors import HookError, InputError
from artiphys.hooks.changes import Changes
from artiphys.hooks.claims import Claims
from artiphys.hooks.hook_functions import HookFunctions, MaskOfCall
from artiphys.hooks.taps import At, Frame, Tap, Write
from artiphys.hooks.turns import Turn
from artiphys.third_party import is_hooked


class Tapping:
    """Hooks on a model for the duration of one run or one lesion; a context manager.

    Parameters
    ----------
    root : Module
        The module whose call is one forward pass.
    frame : Frame
        Shared description of the forward in progress.
    unroll : callable
        ``unroll(changes, taps)`` unrolls the recurrent modules of the given taps.
    mask_of_call : callable
        Gives the mask of real positions among the arguments of a direct call.
    names : sequence of str, optional
        Given for writes that outlast a single run: by these others can tell that they are in force.
    is_loop : bool
        What runs meanwhile is a function that runs the network itself.
    """

    def __init__(
        self,
        root: nn.Module,
        frame: Frame,
        unroll: Callable[[Changes, Sequence[Tap]], object],
        mask_of_call: MaskOfCall = lambda args, kwargs: None,
        *,
        names: Sequence[str] = (),
        is_loop: bool = False,
    ) -> None:
        self.root, self.frame, self.unroll, self.mask_of_call = root, frame, unroll, mask_of_call
        self.names, self.is_loop = tuple(names), is_loop
        self._plan: list[tuple[Tap, Callable[[Tensor, At], Tensor | None], bool]] = []
        self._copies: set[object] = set()  # those of the plan that read: they see what all others wrote
        self._at_place: dict[str, list[object]] = {}  # planned writes
        self.claims = Claims()
        self._hooks: list[tuple[nn.Module, Any]] = []
        self._turn: Turn | None = None

    def write(self, tap: Tap, fn: Write, *, place: str = "", first_at: Sequence[str] = ()) -> None:
        """Plan a write: ``fn(x, at)`` gives a new tensor of the same shape and dtype.

        Parameters
        ----------
        place : str
            What is written, where that is not the whole site.
        first_at : sequence of str
            Places at which others may write afterwards, but not before.
        """
        place = place or tap.site.name
        self.claims.write(place, first_at)
        frame = self.frame

        def checked(x: Tensor, at: At) -> Tensor:
            frame.writing = True
            try:
                new = fn(x, at)
            finally:
                frame.writing = False
            if not isinstance(new, Tensor) or new.shape != x.shape or new.dtype != x.dtype:
                came = f"{tuple(new.shape)} {new.dtype}" if isinstance(new, Tensor) else type(new).__name__
                raise InputError(
                    f"the write function at {at.site.name!r} returned {came}; "
                    f"wanted a tensor {tuple(x.shape)} {x.dtype}"
                )
            return new

        self._plan.append((tap, checked, False))
        self._at_place.setdefault(place, []).append(checked)

    def withdraw(self, place: str) -> None:
        """Take back what was planned at a place, since others take it over."""
        gone = self._at_place.pop(place, [])
        self._plan = [entry for entry in self._plan if entry[1] not in gone]
        self.claims.withdraw(place)

    def read(self, tap: Tap, keep: Callable[[Tensor, At], None], *, before: bool = False) -> None:
        """Plan a read: ``keep`` gets a copy of the value, after all hooks, or before them."""

        def copied(x: Tensor, at: At) -> None:
            keep(x.clone(), at)  # a later in-place operation must not change what was read

        self._copies.add(copied)
        self._plan.append((tap, copied, before))

    def keep(self, taps: Sequence[Tap]) -> None:
        """Plan reads, after all writes, whose values the writes of this tapping find further on in the forward pass."""
        for tap in taps:
            if tap.site.name not in self.claims.reads:
                self.claims.reads.append(tap.site.name)
                self.read(tap, lambda x, at: None if at.frame is None else at.frame.senders.keep(at.site.name, x))

    def __enter__(self) -> Tapping:
        if self._turn is not None:
            raise HookError("these hooks are in force already; make new ones for another block")
        lasting = bool(self.names)
        self._turn = turn = self.frame.turns.take(lasting=lasting, is_loop=self.is_loop)
        try:
            self.claims.require_apart([*self.frame.turns.claims.values()])
            functions = HookFunctions(self.root, self.frame, self.mask_of_call, lasting)
            turn.undone_by(self.frame.forget)
            self.unroll(turn, [tap for tap, _, _ in self._plan])
            if lasting:
                turn.hook_end(self.root, functions.end)
            self._hook(turn, self.root, functions.begin, pre=True, first=True)
            for tap, fn, first in sorted(self._plan, key=lambda entry: entry[1] in self._copies):
                self._hook(turn, tap.module, functions.at(tap, fn), pre=tap.of_input, first=first)
            turn.set(self.frame.turns.claims, functions, self.claims)
            if any(tap.narrowed for tap, _, _ in self._plan):
                turn.set(self.frame.whole, functions, True)
            if lasting:
                turn.set(self.frame.lasting, functions, self.names)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        lost = any(not is_hooked(module, hook) for module, hook in self._hooks)
        self._end()
        if lost and kind is None:
            raise HookError(
                "a hook of artiphys was removed from the model while it was in force, so what ran since then "
                "was not lesioned or recorded as asked; do not clear a model's hooks inside ap.lesioned"
            )

    def _hook(self, turn: Turn, module: nn.Module, fn: Any, *, pre: bool, first: bool) -> None:
        turn.hook(module, fn, pre=pre, first=first)
        self._hooks.append((module, fn))

    def _end(self) -> None:
        turn, self._hooks = self._turn, []
        try:
            if turn is not None:
                turn.undo()
        finally:
            self._turn = None
