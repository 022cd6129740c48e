"""Sites of a transformer: which of TransformerLens's hooks fire, in what shape, and what changes with its sequences."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from artiphys.adapters.adapter import Discovery, rows_of, trial_axis, why_not_trial_major, without_trace
from artiphys.adapters.probe_inputs import DECODER, main_input, shorter
from artiphys.adapters.transformer_axes import Sizes, axes_of, conversion_of
from artiphys.hooks.changes import Changes
from artiphys.hooks.taps import Tap, View
from artiphys.sites import Site, unit_axis
from artiphys.stimuli import Inputs

MIDDLE = "hook_resid_mid"
NOT_THE_STREAM = (
    "in this network it is what the second norm of the block takes in, so that a lesion there would leave the "
    "stream beside it intact. Name ln2.hook_in to lesion what the MLP reads; hook_resid_pre or hook_resid_post of a "
    "block for the stream"
)
Fired = dict[int, list[Tensor]]  # by id of a hook point, what passed at each of its calls


class Bridged(Protocol):
    """What is asked of the adapter whose sites are looked for."""

    bridge: Any
    root: Any

    def call(self, inputs: Inputs, *, last_only: bool = False) -> Any:
        """Run the model."""


def discovered(adapter: Bridged, example: Mapping[str, Any]) -> Discovery:
    """The sites, from runs of two and three trials, of shorter sequences, and of the last position alone."""
    points: Mapping[str, nn.Module] = adapter.bridge.hook_dict
    names: dict[int, list[str]] = {}
    for name, point in points.items():
        names.setdefault(id(point), []).append(name)
    pair: dict[str, Tensor] = dict(rows_of(dict(example), (0, 1)))
    with without_trace(adapter.root):
        two = _fired(adapter, points, pair)
        three = _fired(adapter, points, rows_of(dict(example), (0, 1, 0)))
        last = _fired(adapter, points, pair, last_only=True)
        short = {}
        for sequence, ways in shorter(adapter.root, pair):
            for inputs in ways:
                with contextlib.suppress(Exception):  # a network of fixed length cannot be asked this way
                    short[sequence] = _fired(adapter, points, inputs)
                    break
    sizes = Sizes.of(adapter.root.config.to_dict())
    n_heads = getattr(adapter.bridge.cfg, "n_heads", None)
    main = pair.get(main_input(adapter.root))
    image = tuple(main.shape[1:]) if main is not None and main.ndim == 4 else None
    answer = pair.get("decoder_input_ids")
    tokens = {"": main if main is not None and main.ndim == 2 and not main.is_floating_point() else None,
              DECODER: answer}  # fmt: skip
    lengths = {name: t.shape[1] for name, t in tokens.items() if t is not None}
    discovery = Discovery()
    for key, calls in two.items():
        known, refused = _names(names[key])
        discovery.silent.update(refused)
        discovery.read_only.update({n: NOT_THE_STREAM for n in known if MIDDLE in n and _is_norm_input(known)})
        for call, raw in enumerate(calls):
            numbered = known if len(calls) == 1 else [f"{n}#{call}" for n in known]
            name, *aliases = numbered
            other = three[key][call] if len(three.get(key, [])) == len(calls) else None
            where = None if other is None else trial_axis(tuple(raw.shape), tuple(other.shape))
            why = "it carries no trial axis" if where is None or other is None else ""
            if where is not None and where[1] and other is not None:
                why = why_not_trial_major(other)
            if where is None or why:
                discovery.silent.update(dict.fromkeys(numbered, why))
                continue
            point = points[known[0]]
            view = View(where[0], where[1], convert=conversion_of(point, known[0], raw, n_heads))
            shape = tuple(view.to(raw, 2).shape)
            if len(shape) < 2:
                continue
            moved = _moved(shape, view, key, call, len(calls), short)
            split = view.convert is not None and len(shape) == raw.ndim + 1
            axes = axes_of(known[0], shape[1:], moved, sizes, image, split, lengths)
            site = Site(
                name, axes.names, shape[1:], unit_axis(axes.names), raw.dtype, axes.guessed, sequence=axes.sequence,
                unit_known=axes.unit_known,
            )  # fmt: skip
            kept = last.get(key, [])
            narrowed = len(kept) != len(calls) or tuple(kept[call].shape) != tuple(raw.shape)
            discovery.taps[name] = Tap(site, point, view, call=call, narrowed=narrowed)
            discovery.aliases.update(dict.fromkeys(aliases, name))
        if len(calls) > 1:
            why = f"the module is called {len(calls)} times; name one call, such as '{known[0]}#0'"
            discovery.silent.update(dict.fromkeys(known, why))
    for key, unused in names.items():
        if key not in two:
            why = "TransformerLens lists this hook, but it does not fire in this model"
            discovery.silent.update(dict.fromkeys(unused, why))
    return discovery


def _names(names: list[str]) -> tuple[list[str], dict[str, str]]:
    """The names of one hook, the plainest first, without those that mean something else in this network."""
    refused = {}
    for inner, outer, what in (("hook_post", "hook_out", "output"), ("hook_pre", "hook_in", "input")):
        for name in names:
            whole = f"{name.removesuffix(inner)}{outer}"
            if name.endswith(f"mlp.{inner}") and whole in names:
                refused[name] = (
                    f"in a mixture of experts it is the {what} of the whole block and not its neurons; "
                    f"name {whole!r} for that"
                )
    misleading = _is_norm_input(names)
    known = [n for n in names if n not in refused]
    return sorted(known, key=lambda n: (misleading and MIDDLE in n, *_plainness(n))), refused


def _is_norm_input(names: Sequence[str]) -> bool:
    """Whether one hook is called the stream between attention and MLP, but is what the second norm takes in."""
    return any(MIDDLE in n for n in names) and any(n.endswith("ln2.hook_in") for n in names)


def _moved(
    shape: tuple[int, ...], view: View, key: int, call: int, n_calls: int, short: Mapping[str, Fired]
) -> dict[int, str] | None:
    """Which axes (after the trials) get shorter with which sequence; None where it could not be found out."""
    moved: dict[int, str] = {}
    asked = False
    for sequence, fired in short.items():
        raw = fired.get(key, [])
        if len(raw) != n_calls:
            continue
        try:
            other = tuple(view.to(raw[call], 2).shape)
        except RuntimeError:
            continue
        if len(other) != len(shape):
            continue
        asked = True
        moved.update({i - 1: sequence for i in range(1, len(shape)) if shape[i] != other[i]})
    return moved if asked else None


def _fired(adapter: Bridged, points: Mapping[str, nn.Module], inputs: Any, last_only: bool = False) -> Fired:
    seen: Fired = {}

    def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            seen.setdefault(id(module), []).append(output.clone())

    with Changes() as changes:
        for point in {id(p): p for p in points.values()}.values():
            changes.hook(point, hook)
        adapter.call(inputs, last_only=last_only)
    return seen


def _plainness(name: str) -> tuple[bool, int, int]:
    # Users know blocks.3.attn.hook_z, not blocks.3.attn.o.hook_in.
    return name.endswith((".hook_in", ".hook_out")), name.count("."), len(name)
