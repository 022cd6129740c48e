"""Transformers through TransformerLens: its hook names are the sites, heads split, experts as units.

The bridge is built around a model in memory by a function that is private to TransformerLens
(`artiphys.third_party.build_bridge`): the public one loads a tokenizer by name from a hub.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from artiphys.adapters.adapter import Discovery, device_of, inputs_to
from artiphys.adapters.cache_argument import translate
from artiphys.adapters.padding import MASK, Padding, last_position, last_real, mask_argument, with_positions
from artiphys.adapters.probe_inputs import DECODER, default_example, main_input
from artiphys.adapters.residual_stream import Read, ResidualStream, residual_stream
from artiphys.adapters.transformer_connections import connections_inside
from artiphys.adapters.transformer_sites import discovered
from artiphys.digests import identical
from artiphys.errors import InputError
from artiphys.hooks.changes import Changes
from artiphys.hooks.taps import Tap
from artiphys.sites import Site
from artiphys.stimuli import Inputs, Stimuli
from artiphys.third_party import (
    attention_implementation,
    buffers_of,
    build_bridge,
    frame_mask,
    module_state,
    set_attention_implementation,
    supported_architectures,
    twins_of,
)


class TransformerAdapter:
    """Sites of a TransformerBridge.

    Parameters
    ----------
    model : transformers model or TransformerBridge
        A transformers model is taken over: its modules are rewired in place until `unwrap`.
    tokenizer : object or None
        Kept on the bridge.
    example : tensor, mapping or None
        A few inputs; needed where the model takes more, or something other, than tokens, pixels or a sound.
    changes : Changes
        Where it is noted how the model becomes what it was before.

    Attributes
    ----------
    padding : Padding
        How the model is given padded rows; `artiphys.preparation.wrap_checks` finds it out.
    """

    version = "transformer-2"
    has_stream = True

    def __init__(self, model: Any, tokenizer: Any, example: Inputs | None, changes: Changes) -> None:
        self._given, self._example = model, example
        self.recurrent: dict[str, Any] = {}
        self._before: list[tuple[nn.Module, dict[str, Any]]] = []
        self._values: list[tuple[Tensor, Tensor]] = []
        self._attentions: list[tuple[Any, str | None]] = []
        if is_bridge(model):
            self.bridge = model
        else:
            self.bridge = self._build(model, tokenizer, changes)
        self.root: nn.Module = self.bridge.original_model
        self.accepts = accepted_by(self.root)
        self.padding = Padding(0, {})
        self.tokenizer = self.bridge.tokenizer

    def _build(self, model: nn.Module, tokenizer: Any, changes: Changes) -> Any:
        name = architecture(model)
        self._before = [(m, module_state(m.__dict__)) for m in model.modules()]
        # TransformerLens may work some of them into weights of its own, and zero them (BART's bias of the logits).
        self._values = [(b, b.detach().clone()) for b in model.buffers()]
        self._attention = attention_implementation(model.config)
        configs = {id(c): c for m in model.modules() if (c := getattr(m, "config", None)) is not None}
        self._attentions = [(c, attention_implementation(c)) for c in configs.values()]
        changes.undone_by(self._restore)
        with Changes() as chance:
            chance.undone_by(torch.set_rng_state, torch.get_rng_state())
            try:
                model.set_attn_implementation("eager")  # type: ignore[operator]
                bridge = build_bridge(model, name, tokenizer)
                translate(bridge)
                return bridge
            except Exception as error:
                raise InputError(
                    f"TransformerLens cannot wrap this {type(model).__name__} with its configuration "
                    f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'without a reason'}). "
                    "as_module=True leaves the model as it is, with module paths as sites"
                ) from error

    def example(self) -> Inputs | None:
        """The user's example, or two trials of tokens, pixels or sound that the model surely takes."""
        return default_example(self.root) if self._example is None else self._example

    def unwrap(self) -> Any:
        """The transformers model as it was before; a bridge that was given is given back."""
        try:
            self._restore()
        finally:  # again, where an interrupt came between
            self._restore()
        return self._given

    def twin(self) -> Any:
        """The transformers model as it was before, in modules of its own that share the weights."""
        twins = twins_of(self._before)
        values = {id(buffer): value for buffer, value in self._values}
        for twin in twins.values():
            held = buffers_of(twin)
            held.update({name: values.get(id(b), b) for name, b in held.items()})
        model: Any = twins[id(self._given)]
        model.config = copy.deepcopy(model.config)
        if self._attention is not None:
            set_attention_implementation(model.config, self._attention)
        return model

    def portable(self) -> tuple[Any, Inputs | None, tuple[str, ...]]:
        """The transformers model as it was before, in modules of its own that share the weights."""
        if not self._before:
            raise InputError("a TransformerBridge cannot be sent to a worker; wrap the transformers model itself")
        return self.twin(), self._example, ()

    def _restore(self) -> None:
        for module, state in self._before:
            module.__dict__.clear()
            module.__dict__.update(module_state(state))
        with torch.no_grad():
            for buffer, value in self._values:
                if not identical(buffer, value):
                    buffer.copy_(value)
        for config, found in self._attentions:
            if found is not None:
                set_attention_implementation(config, found)
        self._before, self._values, self._attentions = [], [], []

    def keywords(self, inputs: Inputs) -> dict[str, Any]:
        """Inputs as keyword arguments of the model."""
        return dict(inputs) if isinstance(inputs, Mapping) else {main_input(self.root): inputs}

    def call(
        self, inputs: Inputs, *, last_only: bool = False, n_trials: int | None = None, every_position: bool = False
    ) -> Any:
        """Logits ``(trial, time, token)``, or ``(trial, token)`` at each trial's last real position.

        In an encoder-decoder positions are the decoder's.
        """
        kwargs = self.keywords(inputs_to(inputs, device_of(self.root)))
        kwargs = with_positions(kwargs, self.padding, self.accepts)
        if "use_cache" in self.accepts:
            kwargs.setdefault("use_cache", False)
        mask = self._answering_mask(kwargs)
        last = None if mask is None else last_real(mask)
        if last_only and not every_position and "logits_to_keep" in self.accepts:
            # Only the positions that are anyone's last are read out; the readout can cost as much as all layers.
            kept, last = (1, None) if last is None else torch.unique(last, return_inverse=True)
            kwargs["logits_to_keep"] = kept
        outputs = self.root(**kwargs)
        values = getattr(outputs, "logits", outputs)
        if not last_only or not isinstance(values, Tensor):
            return values
        if last is not None and values.ndim > 2 and mask is not None and "logits_to_keep" not in kwargs:
            last = last_real(self._at_length(mask, values.shape[1], "the outputs"))
        return last_position(values, last, n_trials)

    def _answering_mask(self, kwargs: Mapping[str, Any]) -> Tensor | None:
        """Mask of the sequence that outputs belong to: of an encoder-decoder the decoder's."""
        name = MASK
        if getattr(self.root.config, "is_encoder_decoder", False):
            name = f"decoder_{MASK}"
            given = any(kwargs.get(n) is not None for n in ("decoder_input_ids", "decoder_inputs_embeds"))
            if not given and kwargs.get(MASK) is not None:
                raise InputError(
                    "these trials have different lengths, and the decoder's inputs are left to the model, which pads "
                    "them too; give decoder_input_ids (and decoder_attention_mask)"
                )
        mask: Tensor | None = kwargs.get(name)
        return mask if mask is not None and mask.ndim == 2 else None

    def valid(self, stimuli: Stimuli, site: Site, n_time: int) -> Tensor | None:
        """Bool ``(trial, time)``, False at padding of the site's own sequence; None where nothing is padded."""
        mask = stimuli.valid_of(DECODER if site.sequence == DECODER else "")
        if mask is None or bool(mask.all()):
            return None
        return self._at_length(mask, n_time, f"site {site.name!r}")

    def mask_of_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
        """The attention mask of a direct call, of an encoder-decoder none: its two sequences have one each."""
        if getattr(self.root.config, "is_encoder_decoder", False):
            return None
        return mask_argument(self.root, args, kwargs)

    def _at_length(self, mask: Tensor, n_time: int, what: str) -> Tensor:
        """A mask of samples as one of the frames that are made of them."""
        if mask.shape[1] == n_time:
            return mask.bool()
        frames = frame_mask(self.root, n_time, mask.long())
        if frames is None:
            raise InputError(
                f"the mask has {mask.shape[1]} positions and {what} {n_time}, so it is not known which of these are "
                "padding; give trials of one length"
            )
        return frames.bool()

    def first_wanted(self, inputs: Inputs) -> int | None:
        """The earliest of the trials' last real positions."""
        kwargs = self.keywords(inputs)
        decoding = getattr(self.root.config, "is_encoder_decoder", False)
        tokens = kwargs.get("decoder_input_ids" if decoding else main_input(self.root))
        if tokens is None or tokens.ndim != 2 or tokens.is_floating_point():
            return None
        mask = kwargs.get(f"decoder_{MASK}" if decoding else MASK)
        return tokens.shape[1] - 1 if mask is None or mask.ndim != 2 else int(last_real(mask).min())

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

    def residual_stream(self, tap_of: Callable[[str], Tap], read: Read) -> ResidualStream:
        """The stream that the blocks read and add to."""
        return residual_stream(self.bridge, tap_of, read)

    def discover(self, example: Inputs) -> Discovery:
        """Find the sites by running the example (`artiphys.adapters.transformer_sites`)."""
        discovery = discovered(self, self.keywords(example))
        discovery.connections = connections_inside(self.bridge, discovery)
        return discovery


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
    family = re.split(r"For|Model|LMHead|MTModel", name)[0]
    relatives = sorted(k for k in known if re.split(r"For|Model|LMHead|MTModel", k)[0] == family)
    hint = ""
    if name == "BertModel":
        hint = "put the encoder into a BertForMaskedLM (its head may stay untrained), or "
    elif relatives:
        hint = f"of this family it has {', '.join(relatives)}. Put the weights into one of these, or "
    raise InputError(
        f"TransformerLens has no adapter for {name}; {hint}pass as_module=True to use module paths as sites"
    )


def is_transformers_model(model: Any) -> bool:
    """Whether a model is a transformers `PreTrainedModel`, without importing transformers for others."""
    return any(c.__name__ == "PreTrainedModel" for c in type(model).__mro__)


def accepted_by(model: nn.Module) -> set[str]:
    """Names of the inputs a model takes."""
    return set(inspect.signature(model.forward).parameters) - {"self", "kwargs"}
