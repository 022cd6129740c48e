"""Taps: where a site lies in a network, and what a write function is told of the forward pass in progress."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from artiphys.hooks.batch_rows import Rows
from artiphys.hooks.nested import Key
from artiphys.hooks.sender_activity import SenderActivity
from artiphys.hooks.turns import Turns
from artiphys.sites import Site
from artiphys.stimuli import Stimuli


@dataclass(frozen=True)
class View:
    """How a raw tensor becomes the trial-first, labelled form of a site, and back."""

    trial_axis: int = 0
    merged: bool = False  # trial and time share axis 0: (trial*time, ...)
    scalar: bool = False  # one number per trial: (trial,)
    convert: Any = None  # a TransformerLens conversion that splits heads

    def to(self, raw: Tensor, rows: int) -> Tensor:
        """Trial-first form of a raw tensor of ``rows`` trials."""
        x: Tensor = raw if self.convert is None else self.convert.convert(raw)
        if self.trial_axis:
            x = x.movedim(self.trial_axis, 0)
        if self.merged:
            x = x.reshape(rows, -1, *x.shape[1:])
        return x.unsqueeze(-1) if self.scalar else x

    def back(self, x: Tensor, like: Tensor) -> Tensor:
        """Raw form of a trial-first tensor, in the layout of ``like``."""
        if self.scalar:
            x = x.squeeze(-1)
        if self.merged:
            x = x.reshape(-1, *x.shape[2:])
        if self.trial_axis:
            x = x.movedim(0, self.trial_axis)
        if self.convert is not None:
            x = self.convert.revert(x)
        return x.reshape(like.shape)


@dataclass(frozen=True)
class Tap:
    """One site's place in a model: a module's output or input, one of its calls, one of its tensors."""

    site: Site
    module: nn.Module
    view: View = View()
    path: tuple[Key, ...] = ()
    call: int | None = 0  # which call of the module; None: every call is one time step
    of_input: bool = False
    narrowed: bool = False  # it holds fewer positions where only the last ones are read out


@dataclass(frozen=True)
class At:
    """Where a write function is called.

    Attributes
    ----------
    site : Site
    axes : tuple of str
        Names of the axes of the tensor, ``"trial"`` first.
    time : Tensor or None
        Absolute position of each entry along the time axis; None without one.
    n_time : int or None
        Number of steps of the whole forward, if known.
    rows : Rows or None
        Whose rows these are; None where the model was called directly, so that trials are unknown.
    activity : mapping
        Sites read so far in this forward.
    given : tuple or None
        At an output: positional and keyword arguments that the module computed it from.
    frame : Frame or None
        The forward pass in progress.
    """

    site: Site
    axes: tuple[str, ...]
    time: Tensor | None = None
    n_time: int | None = None
    rows: Rows | None = None
    activity: Mapping[str, Tensor] = field(default_factory=dict)
    mask: Callable[[], Tensor | None] | None = None
    given: Any = None
    frame: Frame | None = None

    @property
    def trial(self) -> Tensor | None:
        """``(row,)`` trial id of each row; None where the model was called directly."""
        return None if self.rows is None else self.rows.trial

    @property
    def node(self) -> Tensor | None:
        """``(row,)`` index of the coalition each row belongs to."""
        return None if self.rows is None else self.rows.node

    @property
    def valid(self) -> Tensor | None:
        """``(row, position)`` bool over the whole forward, False at padding; None where nothing is padded."""
        return self.mask() if self.mask is not None else None

    @property
    def positions(self) -> Tensor:
        """`time` at a site that has a time axis."""
        assert self.time is not None
        return self.time

    @property
    def conditions(self) -> Mapping[str, Any]:
        """Column of the conditions table -> one value per row."""
        return {} if self.rows is None else self.rows.conditions


Write = Callable[[Tensor, At], Tensor]
ValidAt = Callable[[Stimuli, Site, int], "Tensor | None"]


@dataclass
class Frame:
    """What is known about the forward pass in progress; one per preparation."""

    n_rows: int | None = None
    offset: int | None = None  # tokens a cache holds already, when a transformer generates step by step
    window: tuple[int, int] | None = None  # first position present, and of how many, while only the last are computed
    rows: Rows | None = None
    activity: dict[str, Tensor] = field(default_factory=dict)
    senders: SenderActivity = field(default_factory=SenderActivity)
    calls: dict[object, int] = field(default_factory=dict)  # how often each hook has seen its module so far
    announced: bool = False
    mask: Tensor | None = None  # (row, position) real positions of a direct call, as far as it is said
    valid_at: ValidAt | None = None  # of the trials announced, set by the preparation
    thread: int | None = None  # in which a forward pass is in progress
    writing: bool = False  # a write function is at work inside it
    turns: Turns = field(default_factory=Turns)
    # By what keeps them in force, so that taking them out twice does no harm:
    lasting: dict[object, tuple[str, ...]] = field(default_factory=dict)  # names of writes that outlast a single run
    whole: dict[object, bool] = field(default_factory=dict)  # needs all positions, though only the last are asked for
    suspended: dict[object, int] = field(default_factory=dict)  # threads in which lasting writes do nothing

    @property
    def in_force(self) -> tuple[str, ...]:
        """Names of the lasting writes that act now, in order of entry."""
        return () if self.is_suspended else tuple(name for names in self.lasting.values() for name in names)

    @property
    def is_suspended(self) -> bool:
        """Whether the calling thread has put the lasting writes out of force for a while."""
        return bool(self.suspended) and threading.get_ident() in self.suspended.values()

    def announce(self, rows: Rows) -> None:
        """Say what the next forward will be; `Preparation.run` does, a user's direct call does not."""
        self.forget()
        self.now(rows)
        self.announced = True

    def now(self, rows: Rows) -> None:
        """From here on the batch has these rows: it grows on the way where coalitions part."""
        self.rows, self.n_rows = rows, len(rows)

    def forget(self) -> None:
        """Nothing is known of the next forward."""
        self.announced = self.writing = False
        self.rows = self.n_rows = self.window = self.mask = self.thread = None
        self.activity, self.senders = {}, SenderActivity()

    def begin(self, n_rows: int | None, offset: int | None = None, mask: Tensor | None = None) -> None:
        """Start of a forward pass of the root module; ``offset`` and ``mask`` of a direct call."""
        self.calls = {}
        self.offset = None
        if not self.announced:
            self.forget()
            self.n_rows, self.offset, self.mask = n_rows, offset, mask


class StopForwardError(Exception):
    """Raised by a tap to end a forward pass early; never leaves `Preparation.run`."""
