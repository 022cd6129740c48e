"""Every private name of another library that artiphys relies on; tests/test_third_party.py pins each of them."""

from __future__ import annotations

import copy
import ctypes
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import xarray as xr
from scipy.linalg import cython_lapack
from torch import Tensor, nn

# torch: modules whose output in train mode is left to chance or to the batch.
UNSTEADY = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


def edit_count(t: Tensor) -> int:
    """How often a tensor was edited in place, as torch counts it (edits through ``.data`` are not); -1 if not."""
    return -1 if t.is_inference() else t._version


# torch: what every module holds beside attributes of its own, and what recurrent ones keep of their weights.
MODULE_TABLES = frozenset(nn.Module().__dict__) | {"_flat_weights", "_flat_weight_refs"}


def forward_hooks(module: nn.Module) -> dict[int, Any]:
    """A module's own table of forward hooks, in their order."""
    return module._forward_hooks


def forward_pre_hooks(module: nn.Module) -> dict[int, Any]:
    """A module's own table of forward pre-hooks, in their order."""
    return module._forward_pre_hooks


def remove_forward_hook(module: nn.Module, fn: Callable[..., Any]) -> None:
    """Take a function off a module's forward hooks and pre-hooks, also if putting it there was interrupted."""
    before = (module._forward_pre_hooks, module._forward_pre_hooks_with_kwargs)
    after = (module._forward_hooks, module._forward_hooks_with_kwargs, module._forward_hooks_always_called)
    for tables in (before, after):
        for key in [k for k, hook in tables[0].items() if hook is fn]:
            for table in reversed(tables):  # the table by which it is found comes last
                table.pop(key, None)


def is_hooked(module: nn.Module, fn: Callable[..., Any]) -> bool:
    """Whether a function is among a module's forward hooks or pre-hooks."""
    return any(h is fn for hooks in (module._forward_pre_hooks, module._forward_hooks) for h in hooks.values())


def hooks_of_every_module() -> list[Any]:
    """Hooks that torch runs at every module of every network."""
    module = nn.modules.module
    return [*module._global_forward_pre_hooks.values(), *module._global_forward_hooks.values()]


def buffers_of(module: nn.Module) -> dict[str, Tensor | None]:
    """A module's own table of buffers."""
    return module._buffers


def module_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a module's ``__dict__``: tables of modules, parameters and hooks are copied, what they hold is not."""
    return {k: type(v)(v) if type(v) in (dict, list, set) or k.endswith("_hooks") else v for k, v in state.items()}


def twins_of(before: list[tuple[nn.Module, dict[str, Any]]]) -> dict[int, nn.Module]:
    """By id, a twin of each module in the state that was kept of it; twins hold each other and share the weights."""
    twins = {id(module): copy.copy(module) for module, _ in before}
    for module, state in before:
        own = module_state(state)
        own["_modules"] = {name: twins.get(id(m), m) for name, m in own["_modules"].items()}
        twin = twins[id(module)]
        twin.__dict__.clear()
        twin.__dict__.update(own)
    return twins


def attention_implementation(config: object, default: str | None = None) -> str | None:
    """How a transformers model computes attention ("eager", "sdpa", ...), if its config says so."""
    found: str | None = getattr(config, "_attn_implementation", default)
    return found


def set_attention_implementation(config: Any, name: str) -> None:
    """Write it to a config; the modules that read it are not told."""
    config._attn_implementation = name


def build_bridge(model: nn.Module, architecture: str, tokenizer: Any) -> Any:
    """A TransformerBridge around a model in memory; TransformerLens's public way loads a tokenizer from a hub."""
    from transformer_lens.model_bridge.sources._bridge_builder import build_bridge_from_module

    return build_bridge_from_module(model, architecture, hf_config=model.config, tokenizer=tokenizer)


def frame_mask(model: Any, n_frames: int, mask: Tensor) -> Tensor | None:
    """A mask of the samples of sounds as one of frames ``(trial, frame)``; None for models without such frames."""
    for part in (model, getattr(model, "base_model", None)):
        made = getattr(part, "_get_feature_vector_attention_mask", None)
        if callable(made):
            frames: Tensor = made(n_frames, mask)
            return frames
    return None


def supported_architectures() -> Mapping[str, Any]:
    """Names of the transformers classes that TransformerLens has an adapter for."""
    from transformer_lens.factories.architecture_adapter_factory import SUPPORTED_ARCHITECTURES

    known: Mapping[str, Any] = SUPPORTED_ARCHITECTURES
    return known


def is_in_memory(data: xr.DataArray) -> bool:
    """Whether the values of an array are in memory rather than read from disk when used."""
    return bool(data.variable._in_memory)


def dask_client(executor: Any) -> Any:
    """The Dask client that an executor is, or stands for; None for any other executor."""
    for client in (executor, getattr(executor, "_client", None)):
        if hasattr(client, "scatter") and hasattr(client, "get_executor"):
            return client
    return None


def worker_count(executor: Any) -> int:
    """Number of workers of an executor; 4 where it does not tell."""
    client = dask_client(executor)
    if client is not None and hasattr(client, "ncores"):
        return max(1, int(sum(client.ncores().values())))
    return int(getattr(executor, "_max_workers", 4) or 4)


@cache
def lapack_routine(name: str, n_arguments: int) -> Callable[..., None]:
    """A routine of the LAPACK that scipy carries, called by pointers; it runs without Python's lock.

    scipy offers these routines to Cython only, through a table of capsules.
    """
    table: Any = cython_lapack.__pyx_capi__
    capsule = table[name]
    get_name, get_pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address = get_pointer(capsule, get_name(capsule))
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * n_arguments)(address)


def is_protocol(kind: type) -> bool:
    """Whether a class only says what is asked of others."""
    return bool(getattr(kind, "_is_protocol", False))
