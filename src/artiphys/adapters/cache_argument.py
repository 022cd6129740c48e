"""The cache of keys and values (or states) under the names that transformers gave its argument.

Until version 5.23 it was ``past_key_values`` or ``cache_params``, since then it is ``cache``. TransformerLens's modules
know the old names only, and would leave a cache aside without a word: every token generated would see itself alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

OLD, NEW = ("past_key_values", "cache_params"), "cache"
NAMES = (*OLD, NEW, "layer_past", "past_key_value")  # of what holds keys and values in a block


def takes_new_name(module: nn.Module) -> bool:
    """Whether a module's own forward calls its cache by the new name."""
    names = inspect.signature(type(module).forward).parameters
    return NEW in names and not set(OLD) & set(names)


def translate(bridge: nn.Module) -> None:
    """Let each of TransformerLens's modules around one of transformers' get its cache by the old names too.

    What these hand on to transformers' own modules gets the new name back.
    """
    for module in list(bridge.modules()):
        inner = getattr(module, "original_component", None)
        if not isinstance(inner, nn.Module) or not takes_new_name(inner):
            continue
        module.__dict__["forward"] = with_old_names(module.forward)
        for part in inner.modules():
            if "forward" not in part.__dict__ and takes_new_name(part):
                part.__dict__["forward"] = with_new_name(part.forward)


def with_old_names(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which is given its cache by the old names."""

    def called(*args: Any, **kwargs: Any) -> Any:
        cache = kwargs.pop(NEW, None)
        return forward(*args, **({} if cache is None else dict.fromkeys(OLD, cache)), **kwargs)

    return called


def with_new_name(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which may be given its cache by any name; its signature has all of them."""

    def called(*args: Any, **kwargs: Any) -> Any:
        caches = [cache for name in OLD if (cache := kwargs.pop(name, None)) is not None]
        return forward(*args, **({NEW: caches[0]} if caches else {}), **kwargs)

    whole = inspect.signature(forward)
    named = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in OLD]
    before = [p for p in whole.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    after = [p for p in whole.parameters.values() if p.kind is inspect.Parameter.VAR_KEYWORD]
    called.__signature__ = whole.replace(parameters=[*before, *named, *after])  # type: ignore[attr-defined]
    return called
