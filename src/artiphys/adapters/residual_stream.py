"""Residual stream: what each part of a transformer adds to it, and which parts read it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from artiphys.adapters.transformer_axes import HeadSplit
from artiphys.adapters.weighted_maps import WeightedMap
from artiphys.errors import LesionError, SiteError
from artiphys.hooks.taps import Tap, View
from artiphys.sites import Site

SLOTS = ("q", "k", "v")
BETWEEN = (
    "hook_resid_pre", "hook_resid_post", "hook_attn_out", "attn.o.hook_out", "attn.hook_hidden_states", "attn.hook_in",
    "ln1.hook_out", "ln1.hook_scale", "ln1.hook_normalized", "attn.q.hook_in", "attn.k.hook_in", "attn.v.hook_in",
)  # fmt: skip
MAX_DIFFERENCE = 1e-4  # relative: of the stream from the sum of what was added to it, in float32
Read = Callable[[Sequence[str]], Mapping[str, Tensor]]


@dataclass(frozen=True)
class StreamSender:
    """A site whose units add to the stream: heads of a layer, an MLP, the embedding.

    Attributes
    ----------
    site : Site
    tap : Tap
        Where its activity is read.
    first : int
        Number of senders before its first unit.
    map : WeightedMap or None
        From heads' results to the stream; None where the site is what is added.
    """

    site: Site
    tap: Tap
    first: int
    map: WeightedMap | None = None

    @property
    def n_units(self) -> int:
        """Senders at this site."""
        return 1 if self.map is None else self.site.n_units

    def added(self, x: Tensor, units: Tensor) -> Tensor:
        """What some units add, ``(unit, row, time, width)``, from the site's activity or a change of it."""
        if self.map is None:
            return x[None]
        each = x.shape[-1]
        rows = (units[:, None] * each + torch.arange(each, device=units.device)).to(x.device)
        weight = self.map.weight[:, rows]  # (width, unit, entry)
        flat = x.index_select(-2, units.to(x.device)).movedim(-2, 0)
        return (flat.flatten(1, -2) @ weight.permute(1, 2, 0)).reshape(*flat.shape[:-1], -1)


@dataclass(frozen=True)
class StreamReceiver:
    """What reads the stream: queries, keys or values of the heads of a layer, an MLP, the readout.

    Attributes
    ----------
    site : Site
    tap : Tap
        Where it is written.
    name : str
        As it is shown: a layer's part.
    n_senders : int
        Senders that add to the stream before it, in the stream's order.
    stream : Tap or None
        Where the stream is read, of a head's input; None where the site is the stream itself.
    norm, map
        Of a head's input: from the stream to queries, keys or values.
    constant : Tensor
        What the stream holds that is no sender's: biases, ``(width,)``.
    """

    site: Site
    tap: Tap
    name: str
    n_senders: int
    constant: Tensor
    stream: Tap | None = None
    norm: Any = None
    map: WeightedMap | None = None

    @property
    def n_units(self) -> int:
        """Receivers at this site."""
        return 1 if self.map is None else self.site.n_units

    def received(self, stream: Tensor, units: Tensor) -> Tensor:
        """Heads' queries, keys or values ``(unit, ..., entry)`` from a stream of each, ``(unit, ..., width)``."""
        assert self.map is not None
        normed = self.norm(stream)
        each = self.site.sizes[-1]
        rows = (units[:, None] * each + torch.arange(each, device=units.device)).to(stream.device)
        y: Tensor = normed.flatten(1, -2) @ self.map.weight[rows].transpose(1, 2)
        bias = getattr(self.map.module, "bias", None)
        if bias is not None:
            y = y + bias[rows][:, None]
        return y.reshape(*stream.shape[:-1], each)


@dataclass(frozen=True)
class ResidualStream:
    """The stream of a transformer whose layers read it through a norm and add to it.

    Attributes
    ----------
    senders : tuple of StreamSender
        In the order in which they add.
    receivers : mapping of str to StreamReceiver
        By canonical name of the site they are written at.
    between : tuple of str
        Sites between a sender's activity and the stream, or the stream and a head's input: what is written there
        changes what edges carry after it was told apart.
    """

    senders: tuple[StreamSender, ...]
    receivers: Mapping[str, StreamReceiver]
    between: tuple[str, ...] = ()

    @property
    def n_senders(self) -> int:
        """Units that add to the stream."""
        return sum(s.n_units for s in self.senders)

    def sender(self, name: str) -> StreamSender | None:
        """The sender of a canonical site name."""
        return next((s for s in self.senders if s.site.name == name), None)


def residual_stream(bridge: Any, tap_of: Callable[[str], Tap], read: Read) -> ResidualStream:
    """The stream of a wrapped transformer, checked on its example: it is the sum of what was added to it.

    Parameters
    ----------
    tap_of : callable
        Tap of a site name; raises where there is none.
    read : callable
        Activity of sites on the example, ``(trial, time, ...)``.

    Raises
    ------
    LesionError
        If the network has no such stream: norms behind its layers (BERT), layers side by side, cross-attention.
    """
    layers = getattr(bridge, "blocks", None)
    if not isinstance(layers, nn.ModuleList) or hasattr(bridge, "decoder_blocks"):
        raise LesionError("this network has no one stack of blocks that add to one stream, so it has no edges in it")
    try:
        return _checked(*_described(bridge, list(layers), tap_of), read)
    except (AttributeError, LookupError, SiteError) as error:
        raise LesionError(
            "edges between the layers of this network are not defined: they are where each block reads one stream "
            "through a norm before attention and a norm before its MLP, and adds to it in turn. Norms behind the "
            f"layers, layers side by side or scaled sums are another design. (What is missing here: {error})"
        ) from error


def _described(
    bridge: Any, layers: list[Any], tap_of: Callable[[str], Tap]
) -> tuple[ResidualStream, list[tuple[str, int]]]:
    """The stream as its parts are named, and after how many senders it passes each of some sites."""
    embedding = tap_of("blocks.0.hook_resid_pre")
    senders = [StreamSender(embedding.site, embedding, 0)]
    receivers: dict[str, StreamReceiver] = {}
    passes: list[tuple[str, int]] = []
    constant = torch.zeros(())
    n = 1
    for i, layer in enumerate(layers):
        stream = tap_of(f"blocks.{i}.ln1.hook_in")
        passes.append((stream.site.name, n))
        for slot in SLOTS:
            part = getattr(layer.attn, slot)
            tap = tap_of(f"blocks.{i}.attn.hook_{slot}")
            weighted = _map(part, f"linear {slot} of block {i}")
            receivers[tap.site.name] = StreamReceiver(
                tap.site, tap, f"{i}.{slot}", n, constant, stream, layer.ln1.original_component, weighted
            )
        result, out = tap_of(f"blocks.{i}.attn.hook_z"), _map(layer.attn.o, f"linear output of block {i}")
        n_heads = result.site.n_units
        before = Tap(result.site, out.module, View(convert=HeadSplit(n_heads)), (0, 0), of_input=True)
        senders.append(StreamSender(result.site, before, n, out))
        n += n_heads
        bias = getattr(out.module, "bias", None)
        constant = constant if bias is None else constant.to(bias.device) + bias.detach()
        middle, mlp = tap_of(f"blocks.{i}.ln2.hook_in"), tap_of(f"blocks.{i}.hook_mlp_out")
        passes.append((middle.site.name, n))
        receivers[middle.site.name] = StreamReceiver(middle.site, middle, f"mlp {i}", n, constant)
        senders.append(StreamSender(mlp.site, mlp, n))
        n += 1
    final = tap_of("ln_final.hook_in")
    passes.append((final.site.name, n))
    receivers[final.site.name] = StreamReceiver(final.site, final, "readout", n, constant)
    return ResidualStream(tuple(senders), receivers, tuple(_between(len(layers), tap_of))), passes


def _between(n_layers: int, tap_of: Callable[[str], Tap]) -> Iterator[str]:
    for i in range(n_layers):
        for name in BETWEEN if i else BETWEEN[1:]:
            with contextlib.suppress(SiteError):
                yield tap_of(f"blocks.{i}.{name}").site.name


def _map(part: Any, what: str) -> WeightedMap:
    found = WeightedMap.of(part.original_component)
    if found is None:
        raise LookupError(what)
    return found


def _checked(stream: ResidualStream, passes: list[tuple[str, int]], read: Read) -> ResidualStream:
    heads = [r for r in stream.receivers.values() if r.stream is not None]
    wanted = [s.site.name for s in stream.senders] + [name for name, _ in passes] + [r.site.name for r in heads]
    seen = {name: x.double() for name, x in read(list(dict.fromkeys(wanted))).items()}
    eps = max(torch.finfo(r.site.dtype).eps for r in stream.receivers.values())
    allowed = max(MAX_DIFFERENCE, 64 * eps)
    constants = {r.n_senders: r.constant for r in stream.receivers.values()}
    total: Tensor | float = 0.0
    ahead = list(stream.senders)
    for name, n in passes:
        while ahead and ahead[0].first < n:
            s = ahead.pop(0)
            x = seen[s.site.name]
            total = total + (x if s.map is None else x.flatten(-2) @ s.map.weight.double().T)
        if not _alike(total + constants[n].double().to(seen[name].device), seen[name], allowed):
            raise LesionError(
                f"what comes into {name!r} is not the sum of what the layers before it put out, as it is where norms "
                "stand before the layers. Edges between the layers of such a network (norms behind them, layers side "
                "by side, scaled sums) are not defined; edges into one linear layer are"
            )
    for r in heads:
        assert r.stream is not None and r.map is not None
        x = seen[r.stream.site.name].to(r.site.dtype)
        units = torch.arange(r.n_units)
        with torch.no_grad():
            made = r.received(x[None].expand(r.n_units, *x.shape), units).movedim(0, -2)
        if not _alike(made.double(), seen[r.site.name], allowed):
            raise LesionError(
                f"{r.site.name!r} is not a linear map of the normed stream in this network, so no edge into it is known"
            )
    return stream


def _alike(a: Tensor, b: Tensor, allowed: float) -> bool:
    return a.shape == b.shape and float((a - b).abs().max()) <= allowed * float(b.abs().max())
