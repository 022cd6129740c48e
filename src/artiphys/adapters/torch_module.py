"""Any `torch.nn.Module`: its modules' outputs (and inputs) are its sites.

The adapter runs the model twice, with two and with three trials, and sees from the shapes which axis of
each tensor holds trials. One tensor is one site: a container's output that is its last child's output
is an alias, and so is a module's input that some module put out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from artiphys.adapters.adapter import (
    Discovery,
    device_of,
    inputs_to,
    rows_of,
    trial_axis,
    why_not_trial_major,
    without_trace,
)
from artiphys.adapters.connections import FIRST_INPUT, connections_of
from artiphys.adapters.in_series import origin
from artiphys.adapters.module_axes import Lengths, ModuleAxes, axes_by_length, axes_by_type
from artiphys.adapters.module_events import Event, Place, TensorKey, module_events
from artiphys.adapters.padding import mask_argument
from artiphys.adapters.recurrent import Unrolled, unroll
from artiphys.adapters.recurrent_sites import recurrent_connections, recurrent_taps
from artiphys.adapters.residual_stream import Read, ResidualStream
from artiphys.adapters.stages import candidates
from artiphys.adapters.unusable import note_packed, note_unseen
from artiphys.errors import InputError, LesionError, unknown
from artiphys.hooks.shared_setting import WITHOUT_FAST_PATH
from artiphys.hooks.taps import Tap, View
from artiphys.sites import Site, compiled_pattern, unit_axis
from artiphys.stimuli import Inputs, Stimuli

# Sites by the tensor they hold, and by that and the place where it was seen.
Names = dict[TensorKey | tuple[TensorKey, Place], str]


class TorchAdapter:
    """Sites of a plain module by module path.

    Parameters
    ----------
    root : Module
    example : tensor or mapping, optional
        Inputs with trials on axis 0.
    steps : sequence of str
        Patterns of modules that a hand-written loop calls once per time step (``*`` within one dotted part, ``**`` for
        anything); ``nn.RNNCell``, ``GRUCell`` and ``LSTMCell`` are such modules without being named.
    """

    version = "torch-1"
    has_stream = False

    def __init__(self, root: nn.Module, example: Inputs | None = None, steps: Sequence[str] = ()) -> None:
        self.root, self._example, self.steps = root, example, tuple(steps)
        self.recurrent = {n: Unrolled(m) for n, m in root.named_modules() if isinstance(m, nn.RNNBase)}
        self._lengths: Lengths | None = None
        # torch runs whole encoder layers in one call, on nested tensors where there is padding.
        self._has_fast_path = any(isinstance(m, (nn.TransformerEncoder, nn.MultiheadAttention)) for m in root.modules())
        # A bare recurrent net without batch_first wants (time, trial, feature); ours are trial-first.
        self.flip = isinstance(root, nn.RNNBase) and not root.batch_first

    def example(self) -> Inputs | None:
        """The inputs given by the user."""
        return self._example

    def unwrap(self) -> nn.Module:
        """The module; it was never changed."""
        return self.root

    def portable(self) -> tuple[Any, Inputs | None, tuple[str, ...]]:
        """The module itself."""
        return self.root, self._example, self.steps

    def call(
        self, inputs: Inputs, *, last_only: bool = False, n_trials: int | None = None, every_position: bool = False
    ) -> Any:
        """The module's own outputs; ``last_only`` means nothing to a module without positions."""
        inputs = inputs_to(inputs, device_of(self.root))
        with WITHOUT_FAST_PATH.in_use() if self._has_fast_path else contextlib.nullcontext():
            if isinstance(inputs, Mapping):
                return self.root(**inputs)
            return self.root(inputs.transpose(0, 1) if self.flip and inputs.ndim > 2 else inputs)

    def valid(self, stimuli: Stimuli, site: Site, n_time: int) -> Tensor | None:
        """The mask among the inputs that is named ``attention_mask``; None where nothing is padded."""
        mask = stimuli.valid
        if mask is None or bool(mask.all()):
            return None
        if mask.shape[1] != n_time:
            raise InputError(
                f"attention_mask has {mask.shape[1]} positions and site {site.name!r} {n_time} along time, so it is "
                "not known which of these are padding; give trials of one length, or the mask under another name"
            )
        return mask

    def mask_of_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
        """The argument that is named ``attention_mask``, if there is one."""
        return mask_argument(self.root, args, kwargs)

    def first_wanted(self, inputs: Inputs) -> int | None:
        """None: it is not known which axis of a module's outputs counts positions."""
        return None

    def after_last(self) -> list[nn.Module]:
        """None: nothing is known of a module's positions."""
        return []

    def stage_candidates(self, taps: Sequence[Tap]) -> list[list[tuple[str, nn.Module]]]:
        """Layers in series; the steps of a recurrent module where the taps are in its states."""
        guesses = []
        for guess in candidates(self.root) or [[("", self.root)]]:
            modules: list[tuple[str, nn.Module]] = []
            for name, module in guess:
                known = self.recurrent.get(name)
                stepped = known is not None and any(known.is_stepped_by(tap) for tap in taps)
                cells = known.cells if known is not None and stepped else {}
                modules += [(f"{name}.{cell}", m) for cell, m in cells.items()] or [(name, module)]
            if len(modules) > 1 or modules[0][1] is not self.root:
                guesses.append(modules)
        return guesses

    def residual_stream(self, tap_of: Callable[[str], Tap], read: Read) -> ResidualStream:
        """None: nothing is known of what a plain module's layers add to."""
        raise LesionError("this network has no residual stream")

    def discover(self, example: Inputs) -> Discovery:
        """Run two and three trials of the example and name what is seen."""
        pair = rows_of(example, (0, 1))
        self._lengths = Lengths(self.root, self._events, pair)
        with without_trace(self.root):
            two = self._events(pair)
            three = {e.place: e for e in self._events(rows_of(example, (0, 1, 0)))}
        discovery = Discovery(unroll=lambda changes, taps: unroll(list(self.recurrent.values()), changes, taps))
        calls: dict[str, int] = {}
        for e in two:
            calls[e.module] = max(calls.get(e.module, 0), e.call + 1)
        names: Names = {}
        self._check_steps()
        for e in two:
            if e.module in self.recurrent and not e.of_input and e.path in ((0,), ()):
                self._check_batch_axis(e, three.get(e.place))
            self._add(e, three.get(e.place), calls[e.module], names, discovery)
        for name, unrolled in self.recurrent.items():
            note_packed(name, unrolled, discovery)
        note_unseen(self.root, {e.module for e in two}, set(self.recurrent), discovery)
        self._connect(two, calls, discovery)
        for alias in [a for a in discovery.aliases if a in discovery.taps]:
            del discovery.aliases[alias]
        return discovery

    def _connect(self, events: list[Event], calls: dict[str, int], discovery: Discovery) -> None:
        def name_of(e: Event) -> str | None:
            name = self._names(e, calls[e.module], self._is_stepped(e.module))[0]
            canonical = discovery.aliases.get(name, name)
            return canonical if canonical in discovery.taps else None

        discovery.connections = connections_of(self.root, events, name_of, discovery.taps, self._is_stepped)
        for name, unrolled in self.recurrent.items():
            sources = [name_of(e) for e in events if e.module == name and e.of_input and e.path == FIRST_INPUT]
            found = recurrent_connections(name, unrolled, next(iter(sources), None), discovery.taps)
            discovery.connections.update({c.tap.site.name: c for c in found})

    def _check_steps(self) -> None:
        names = [n for n, _ in self.root.named_modules()]
        for pattern in self.steps:
            if not any(compiled_pattern(pattern).match(n) for n in names):
                raise InputError(f"steps={pattern!r}: " + unknown("module", pattern, [n for n in names if n]))

    def _check_batch_axis(self, e: Event, other: Event | None) -> None:
        module = self.recurrent[e.module].module
        where = None if other is None else trial_axis(tuple(e.tensor.shape), tuple(other.tensor.shape))
        expected = 0 if module.batch_first or e.tensor.ndim != 3 else 1
        if where is not None and where != (expected, False):
            raise InputError(
                f"{type(module).__name__} {e.module!r} has batch_first={module.batch_first}, but trials reach it on "
                f"axis {where[0]}. Inputs are given with trials on axis 0; a network that wants time first must "
                "transpose them before this module"
            )

    def _events(self, inputs: Inputs, events: list[Event] | None = None) -> list[Event]:
        return module_events(self.root, lambda: self.call(inputs), tuple(self.recurrent), events)

    def _add(self, e: Event, other: Event | None, n_calls: int, names: Names, discovery: Discovery) -> None:
        stepped = self._is_stepped(e.module)
        shown = self._names(e, n_calls, stepped)
        is_sequence = e.module in self.recurrent and not e.of_input and e.path in ((0,), ())
        if is_sequence and self._add_states(e, discovery):
            return
        if stepped and e.call > 0:
            return
        passed = None
        if e.key in names and not e.of_input and self._is_own_input(e, discovery.taps[names[e.key]]):
            # A module that hands its input through (nn.Identity) is known by its own name.
            passed = names[e.key]
            del discovery.taps[passed]
        same = None
        if passed is None and n_calls == 1:
            same = names.get((e.key, origin(self.root, e.place)))
        if same is not None and discovery.taps[same].site.stepped == stepped:
            discovery.aliases.update(dict.fromkeys(shown, same))
            self._learn_axes(e, same, discovery)
            return
        where = None if other is None else trial_axis(tuple(e.tensor.shape), tuple(other.tensor.shape))
        if where is None or other is None:
            discovery.silent.update(dict.fromkeys(shown, "it carries no trial axis"))
            return
        axis, merged = where
        if merged and (why := why_not_trial_major(other.tensor)):
            discovery.silent.update(dict.fromkeys(shown, why))
            return
        view = View(trial_axis=axis, merged=merged, scalar=e.tensor.ndim == 1 and not merged)
        x = view.to(e.tensor, 2)
        found = self._axes(e, view, x.ndim - 1, names, discovery)
        axes, sizes = found.names, tuple(x.shape[1:])
        if stepped:
            axes, sizes = ("time", *axes), (n_calls, *sizes)
        site = Site(
            shown[0], axes, sizes, unit_axis(axes), e.tensor.dtype, found.guessed, stepped, unit_known=found.unit_known
        )
        module = self.root.get_submodule(e.module)
        discovery.taps[site.name] = Tap(site, module, view, e.path, None if stepped else e.call, e.of_input)
        names[e.key] = names[e.key, e.place] = site.name
        discovery.aliases.update(dict.fromkeys(shown[1:], site.name))
        if passed is not None:
            discovery.aliases.update({a: site.name for a, n in discovery.aliases.items() if n == passed})
            discovery.aliases[passed] = site.name
            names.update({k: site.name for k, n in names.items() if n == passed})
        if not stepped and n_calls > 1:
            bare = self._names(e, 1, False)[0]
            discovery.silent[bare] = f"the module is called {n_calls} times; name one call, such as {shown[0]!r}"

    def _learn_axes(self, e: Event, name: str, discovery: Discovery) -> None:
        """Axes of a site that a module of known type takes: what comes into a Sequential goes into its first child."""
        tap = discovery.taps[name]
        if not tap.site.unit_known:
            found = axes_by_type(self.root.get_submodule(e.module), e, len(tap.site.axes), None)
            if found is not None and found.unit_known:
                site = replace(
                    tap.site, axes=found.names, unit_axis=unit_axis(found.names), guessed=found.guessed, unit_known=True
                )
                discovery.taps[name] = replace(tap, site=site)

    def _is_own_input(self, e: Event, known: Tap) -> bool:
        module = self.root.get_submodule(e.module)
        return known.of_input and known.module is module and not any(True for _ in module.children())

    def _names(self, e: Event, n_calls: int, stepped: bool) -> list[str]:
        """The name of a tensor, then its aliases."""
        root = ("input" if e.of_input else "output") if not e.module else None
        base = root or (f"{e.module}.in" if e.of_input else e.module)
        if n_calls > 1 and not stepped:
            base += f"#{e.call}"
        path = e.path
        if e.of_input:  # ((args...), {kwargs...})
            path = path[2:] if path[:2] == (0, 0) else path[1:]
        full = base + "".join(f"[{key}]" for key in path)
        if not e.of_input and path and all(key == 0 for key in path):
            return [base, full]
        return [full]

    def _is_stepped(self, name: str) -> bool:
        parts = name.split(".")
        for i in range(1, len(parts) + 1):
            path = ".".join(parts[:i])
            if path and isinstance(self.root.get_submodule(path), nn.RNNCellBase):
                return True
            if path and any(compiled_pattern(pattern).match(path) for pattern in self.steps):
                return True
        return False

    def _add_states(self, e: Event, discovery: Discovery) -> bool:
        """Add the state sites of a recurrent module; True if its output is the top layer's state."""
        unrolled, module = self.recurrent[e.module], self.recurrent[e.module].module
        if e.tensor.ndim != 3 or f"{e.module}.h0".lstrip(".") in discovery.taps:
            return not module.bidirectional
        n_time = e.tensor.shape[1 if module.batch_first else 0]
        prefix = f"{e.module}." if e.module else ""
        for tap in recurrent_taps(prefix, unrolled, n_time, e.tensor.dtype):
            discovery.taps[tap.site.name] = tap
        if module.bidirectional:
            return False
        for alias in {e.module or "output", f"{e.module or 'output'}[0]"}:
            discovery.aliases[alias] = f"{prefix}h{module.num_layers - 1}"
        return True

    def _axes(self, e: Event, view: View, rank: int, names: Names, discovery: Discovery) -> ModuleAxes:
        source = discovery.taps.get(names.get(e.source, "")) if e.source else None
        known = axes_by_type(self.root.get_submodule(e.module), e, rank, source.site if source else None)
        return known or axes_by_length(rank, self._lengths.moved(e, view) if self._lengths is not None else None)
