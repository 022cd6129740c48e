"""Edge: a lesion of what one place of a network gives to another, while all others still receive it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from artiphys.border import border
from artiphys.errors import LesionError
from artiphys.lesions.operations.lesion import Lesion, Over
from artiphys.lesions.operations.time_window import Time
from artiphys.recording import Recording
from artiphys.stimuli import Stimuli

EdgeKind = Literal["zero", "mean", "resample"]
Slot = Literal["q", "k", "v"]
KINDS, SLOTS = ("zero", "mean", "resample"), ("q", "k", "v")
ARROW = " → "


class Edge(Lesion):
    """A connection that is cut: the sender's contribution is taken out of the receiver's input, and of nothing else.

    The receiver's input becomes ``x - (c - reference)``, where c is what the sender contributes at that moment
    (changed by other lesions, if they change it) and the reference is what it would contribute if it were lesioned.
    This is path patching (Wang et al. 2022, Interpretability in the wild). Edges are a lesion like any other:
    in `ap.lesioned`, and as players of a game (kind ``"zero"``, ``"mean"`` or ``"resample"``).

    - In a plain network a receiver is the output of a linear layer or convolution, or the ``input0`` and
      ``recurrent0`` of a recurrent module; senders are what comes into it. A cut is a weight set to 0 (zero), or one
      whose sender is held at the reference.
    - In a transformer senders are the embedding (``blocks.0.hook_resid_pre``), heads (``attn.hook_z``) and MLPs
      (``hook_mlp_out``); receivers are a head's queries, keys or values (``blocks.1.attn`` with a slot), an MLP
      (``blocks.1.mlp``) and the readout (``unembed``). What is taken out is taken out before the receiver's norm, so
      that effects behind it are not additive.

    Parameters
    ----------
    sender, receiver : str
        Sites.
    sender_units, receiver_units : sequence of int, optional
        Units of each (heads, channels); None means all.
    slot : "q", "k" or "v", optional
        Which of a head's inputs, where the receiver is an attention layer. With grouped queries keys and values have
        fewer heads than queries.
    time : int, slice, range, list of int or str, optional
        Only at these times of the receiver, as in `Lesion`.
    kind : "zero", "mean" or "resample"
    reference, over, seed, n_donors, donors
        Of the sender's activity, as in `Lesion`. Before the first step of a recurrent module there is no activity, and
        a mean or donor leaves its initial state.

    Examples
    --------
    >>> import torch, artiphys as ap
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))
    >>> prep = ap.wrap(net, torch.ones(2, 2))
    >>> edge = ap.Edge("1", "2", sender_units=[0], kind="zero")
    >>> edge
    Edge('1.0 → 2', kind='zero')
    >>> with ap.lesioned(prep, edge):
    ...     cut = prep.run(torch.ones(2, 2)).outputs
    >>> hidden = torch.relu(net[0](torch.ones(2, 2)))
    >>> torch.allclose(cut, hidden[:, 1:] @ net[2].weight[:, 1:].T + net[2].bias)
    True
    """

    sender: Lesion
    slot: Slot | None

    @border
    def __init__(
        self,
        sender: str,
        receiver: str,
        *,
        sender_units: Sequence[int] | int | None = None,
        receiver_units: Sequence[int] | int | None = None,
        slot: Slot | None = None,
        time: Time = None,
        kind: EdgeKind,
        reference: Recording | Stimuli | None = None,
        over: Over | None = None,
        seed: int = 0,
        n_donors: int = 1,
        donors: Mapping[int, int] | None = None,
    ) -> None:
        if kind not in KINDS:
            raise LesionError(f"kind of an edge came as {kind!r}; wanted one of {', '.join(KINDS)}")
        if slot not in (None, *SLOTS):
            raise LesionError(f"slot came as {slot!r}; wanted 'q', 'k' or 'v' of an attention layer, or None")
        for name, site in (("sender", sender), ("receiver", receiver)):
            if not isinstance(site, str):
                raise LesionError(f"{name} came as {type(site).__name__}; wanted the name of one site")
        super().__init__(receiver, receiver_units, kind="zero", time=time)
        source = Lesion(
            sender, sender_units, kind=kind, reference=reference, over=over, seed=seed, n_donors=n_donors, donors=donors
        )
        for field, value in (("kind", kind), ("sender", source), ("slot", slot)):
            object.__setattr__(self, field, value)

    @property
    def source(self) -> Lesion:
        """The lesion of the sender, which the receiver alone sees."""
        return self.sender

    def sent_by(self, sender: Lesion) -> Edge:
        """The same edge with another lesion of the sender, such as one whose reference is recorded."""
        edge = self.changed(sender=sender)
        assert isinstance(edge, Edge)
        return edge

    def ending_at(self, receiver: str, units: tuple[int, ...] | None) -> Edge:
        """The same edge to another receiver."""
        edge = self.changed(site=receiver, units=units, slot=None)
        assert isinstance(edge, Edge)
        return edge

    @property
    def receiver(self) -> str:
        """Site that no longer receives."""
        return self.site

    def digest(self) -> str:
        """Digest of everything that decides what is written."""
        return Lesion.digest(self.changed(site=f"{self.sender.digest()}>{self.slot}>{self.site}"))

    def label(self) -> str:
        """Short name, as a player's: sender, receiver and time."""
        slot = "" if self.slot is None else f".{self.slot}"
        units = "" if self.units is None else "." + "+".join(str(u) for u in self.units)
        return f"{self.sender.label()}{ARROW}{self.site}{slot}{units}{self.window.label()}"

    def __repr__(self) -> str:
        return f"Edge({self.label()!r}, kind={self.kind!r})"
