"""Transformers through TransformerLens: its hook names are the sites, heads split, experts as units.

The bridge is built around a model in memory by a function that is private to TransformerLens
(`artiphys.third_party.build_bridge`): the public one loads a tokenizer by name from a hub.
"""

from __future__ import annotations

import copy
import inspect
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
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
from artiphys.errors import InputError
from artiphys.hooks.taps import Tap, View
from artiphys.sites import Site, unit_axis
from artiphys.stimuli import Inputs
from artiphys.third_party import (
    attention_implementation,
    build_bridge,
    module_state,
    set_attention_implementation,
    supported_architectures,
    twins_of,
)

logger = logging.getLogger("artiphys")

PATTERNS = ("hook_pattern", "hook_attn_scores")


class TransformerAdapter:
    """Sites of a TransformerBridge.

    Parameters
    ----------
    model : transformers model or TransformerBridge
        A transformers model is taken over: its modules are rewired in place until `unwrap`.
    tokenizer : optional
        Kept on the bridge.
    example : tensor or mapping, optional
        A few inputs; needed where the model takes more, or something other, than tokens.
    """

    version = "transformer-1"

    def __init__(self, model: Any, tokenizer: Any = None, example: Inputs | None = None) -> None:
        self._given, self._example = model, example
        self.recurrent: dict[str, Any] = {}
        self._before: list[tuple[nn.Module, dict[str, Any]]] = []
        if is_bridge(model):
            self.bridge = model
        else:
            self.bridge = self._build(model, tokenizer)
        self.root: nn.Module = self.bridge.original_model
        accepted = inspect.signature(self.root.forward).parameters
        self._accepts = set(accepted) - {"self", "kwargs"}
        self._main_input = str(getattr(self.root, "main_input_name", "input_ids"))
        self.tokenizer = self.bridge.tokenizer

    def _build(self, model: nn.Module, tokenizer: Any) -> Any:
        self._before = [(m, module_state(m.__dict__)) for m in model.modules()]
        self._attention = attention_implementation(model.config)
        try:
            model.set_attn_implementation("eager")  # type: ignore[operator]
            return build_bridge(model, architecture(model), tokenizer)
        except BaseException:
            self._restore()
            raise

    def example(self) -> Inputs | None:
        """The user's example, or two trials of five tokens where the model takes tokens alone."""
        if self._example is not None:
            return self._example
        config: Any = self.root.config
        text = getattr(config, "text_config", config)
        vocabulary = int(getattr(text, "vocab_size", 0) or 0)
        if not vocabulary or getattr(config, "is_encoder_decoder", False):
            return None
        return torch.arange(10).reshape(2, 5) % vocabulary

    def unwrap(self) -> Any:
        """The transformers model as it was before; a bridge that was given is given back."""
        if self._before:
            self._restore()
        return self._given

    def portable(self) -> tuple[Any, Inputs | None, tuple[str, ...]]:
        """The transformers model as it was before, in modules of its own that share the weights."""
        if not self._before:
            raise InputError("a TransformerBridge cannot be sent to a worker; wrap the transformers model itself")
        model: Any = twins_of(self._before)[id(self._given)]
        model.config = copy.deepcopy(model.config)
        if self._attention is not None:
            set_attention_implementation(model.config, self._attention)
        return model, self._example, ()

    def _restore(self) -> None:
        for module, state in self._before:
            module.__dict__.clear()
            module.__dict__.update(module_state(state))
        if self._attention is not None:
            set_attention_implementation(self._given.config, self._attention)
        self._before = []

    def call(self, inputs: Inputs, *, last_only: bool = False, n_trials: int | None = None) -> Any:
        """Logits ``(trial, time, token)``, or ``(trial, token)`` at each trial's last real position."""
        inputs = inputs_to(inputs, device_of(self.root))
        kwargs: dict[str, Any] = dict(inputs) if isinstance(inputs, Mapping) else {self._main_input: inputs}
        mask = kwargs.get("attention_mask")
        if mask is not None and bool(mask.bool().all()):
            mask = kwargs["attention_mask"] = None
        if mask is not None and not bool(mask[:, 0].all()) and "position_ids" not in kwargs:
            # Padding on the left shifts every real token; positions count real tokens.
            kwargs["position_ids"] = (mask.long().cumsum(-1) - 1).clamp(min=0)
        if "use_cache" in self._accepts:
            kwargs.setdefault("use_cache", False)
        last = None if mask is None else last_real(mask)
        if last_only and "logits_to_keep" in self._accepts:
            # Only the positions that are anyone's last are read out; the readout can cost as much as all layers.
            kept, last = (1, None) if last is None else torch.unique(last, return_inverse=True)
            kwargs["logits_to_keep"] = kept
        outputs = self.root(**kwargs)
        values = getattr(outputs, "logits", outputs)
        return last_position(values, last, n_trials) if last_only and isinstance(values, Tensor) else values

    def first_wanted(self, inputs: Inputs) -> int | None:
        """The earliest of the trials' last real positions."""
        tokens = inputs.get(self._main_input) if isinstance(inputs, Mapping) else inputs
        if tokens is None or tokens.ndim < 2:
            return None
        mask = inputs.get("attention_mask") if isinstance(inputs, Mapping) else None
        return tokens.shape[1] - 1 if mask is None else int(last_real(mask).min())

    def after_last(self) -> list[nn.Module]:
        """The norm before the readout."""
        norm = getattr(self.bridge, "ln_final", None)
        return [norm] if isinstance(norm, nn.Module) else []

    def stage_candidates(self, taps: Sequence[Tap]) -> list[list[tuple[str, nn.Module]]]:
        """The blocks (of encoder and decoder)."""
        lists = [(name, getattr(self.bridge, name, None)) for name in ("encoder_blocks", "blocks", "decoder_blocks")]
        blocks = [
            (f"{n}.{i}", b) for n, listed in lists if isinstance(listed, nn.ModuleList) for i, b in enumerate(listed)
        ]
        return [blocks] if blocks else []

    def discover(self, example: Inputs) -> Discovery:
        """Run two and three trials and see which of TransformerLens's hooks fire, and in what shape."""
        points = self.bridge.hook_dict
        names: dict[int, list[str]] = {}
        for name, point in points.items():
            names.setdefault(id(point), []).append(name)
        with without_trace(self.root):
            two = self._shapes(points, rows_of(example, (0, 1)))
            three = self._shapes(points, rows_of(example, (0, 1, 0)))
        discovery = Discovery()
        for key, raw in two.items():
            name, *aliases = sorted(names[key], key=_plainness)
            where = trial_axis(tuple(raw.shape), tuple(three[key].shape)) if key in three else None
            why = "it carries no trial axis" if where is None else why_not_trial_major(three[key]) if where[1] else ""
            if where is None or why:
                discovery.silent.update(dict.fromkeys([name, *aliases], why))
                continue
            point = points[name]
            view = View(where[0], where[1], convert=_conversion(point, raw))
            x = view.to(raw, 2)
            if x.ndim < 2:
                continue
            axes, guessed = self._axes(name, tuple(x.shape[1:]))
            site = Site(name, axes, tuple(x.shape[1:]), unit_axis(axes), raw.dtype, guessed)
            discovery.taps[name] = Tap(site, point, view)
            discovery.aliases.update(dict.fromkeys(aliases, name))
        for key, unused in names.items():
            if key not in two:
                discovery.silent.update(
                    dict.fromkeys(unused, "TransformerLens lists this hook, but it does not fire in this model")
                )
        return discovery

    def _shapes(self, points: Mapping[str, nn.Module], inputs: Inputs) -> dict[int, Tensor]:
        seen: dict[int, Tensor] = {}

        def hook(module: nn.Module, args: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                seen.setdefault(id(module), output)

        handles = [p.register_forward_hook(hook) for p in {id(p): p for p in points.values()}.values()]
        try:
            self.call(inputs)
        finally:
            for handle in handles:
                handle.remove()
        return seen

    def _axes(self, name: str, shape: tuple[int, ...]) -> tuple[tuple[str, ...], bool]:
        last = name.rsplit(".", 1)[-1]
        if last in PATTERNS:
            return ("head", "time", "key"), False
        if last in ("hook_expert_weights", "hook_router_scores") or name.endswith("mlp.gate.hook_out"):
            return ("time", "expert"), False
        known = {1: ("time",), 2: ("time", "unit"), 3: ("time", "head", "unit")}
        if len(shape) in known:
            return known[len(shape)], False
        return (*(f"axis{i}" for i in range(1, len(shape))), "unit"), True


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


def is_bridge(model: Any) -> bool:
    """Whether a model is a TransformerBridge already."""
    return type(model).__name__ == "TransformerBridge" and hasattr(model, "hook_dict")


def architecture(model: nn.Module) -> str:
    """The nearest class of a model that TransformerLens has an adapter for.

    Raises
    ------
    InputError
        If there is none; for BertModel the error says to use BertForMaskedLM.
    """
    known = supported_architectures()
    for cls in type(model).__mro__:
        if cls.__name__ in known:
            return cls.__name__
    name = type(model).__name__
    hint = (
        "put the encoder into a BertForMaskedLM (its head may stay untrained), or pass as_module=True to use module "
        "paths as sites"
        if name == "BertModel"
        else "wrap the version with a head, such as ...ForCausalLM, or pass as_module=True to use module paths as sites"
    )
    raise InputError(f"TransformerLens has no adapter for {name}; {hint}")


def is_transformers_model(model: Any) -> bool:
    """Whether a model is a transformers `PreTrainedModel`, without importing transformers for others."""
    return any(c.__name__ == "PreTrainedModel" for c in type(model).__mro__)


def _conversion(point: nn.Module, raw: Tensor) -> Any:
    """The point's own conversion where it changes the shape or order, as the head split does."""
    conversion = getattr(point, "hook_conversion", None)
    if conversion is None:
        return None
    kind = type(conversion).__name__
    changed = tuple(conversion.convert(raw).shape) != tuple(raw.shape)
    return conversion if changed or kind == "TransposeRotaryHeads" else None


def _plainness(name: str) -> tuple[bool, int, int]:
    # Users know blocks.3.attn.hook_z, not blocks.3.attn.o.hook_in.
    return name.endswith((".hook_in", ".hook_out")), name.count("."), len(name)
