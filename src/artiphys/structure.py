"""What a network computes, beside its weights: classes, code, plain attributes and hooks of its modules.

Two networks of equal weights are not the same network: a tanh where there was a ReLU, another exponent, a steering
hook. Code of libraries goes by its name; of the user's own by its bytecode, with the functions and plain values it
uses. What has no name that would tell it from another (a lambda, a closure, a packed blob) is told as such: nothing on
disk may then be taken for this network's.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import sys
import sysconfig
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from artiphys.digests import tensor_bytes
from artiphys.third_party import MODULE_TABLES, forward_hooks, forward_pre_hooks, hooks_of_every_module

LIBRARIES = ("torch", "transformers", "transformer_lens", "artiphys", "numpy", "builtins")
CONTAINERS = (dict, list, tuple, set, frozenset, np.ndarray)
MAX_DEPTH = 6  # of objects inside attributes
SIMPLE = (bool, int, float, complex, str, bytes, type(None), enum.Enum, range, slice, PurePath,
          torch.dtype, torch.Size, torch.memory_format, torch.layout)  # fmt: skip


class Structure:
    """A list of words that tell one network from another, and what of it has no name.

    Attributes
    ----------
    words : list of str
    unnamed : list of str
        What cannot be named, and where.
    """

    def __init__(self, model: nn.Module) -> None:
        self.words: list[str] = []
        self.unnamed: list[str] = []
        self._told: dict[str, str] = {}
        self.seen: dict[int, Any] = {}  # by id; kept alive, so that no other object gets its id
        self._tensors = {id(t) for t in (*model.parameters(), *model.buffers())}
        for hook in hooks_of_every_module():
            self.words.append(f"hook of every module {self._function(hook, 'a hook of every module')}")
        for name, module in model.named_modules():
            self._module(name, module)

    def digest(self) -> str:
        """Digest of the words."""
        return hashlib.blake2b("\n".join(self.words).encode(), digest_size=16).hexdigest()

    def _module(self, name: str, module: nn.Module) -> None:
        kind = type(module)
        self.seen[id(module)] = module
        self.words.append(f"{name}: {_name(kind)}{'' if _is_library(kind) else _class_code(kind, self, name)}")
        for hook in (*forward_pre_hooks(module).values(), *forward_hooks(module).values()):
            if not _is_ours(hook):
                where = f"a hook of {name or 'the network'}"
                self.words.append(f"{where} {self._function(hook, where)}")
        if _is_library(kind) and kind.__module__.startswith("transformer_lens"):
            return  # rewired from a configuration that is told once
        for key, value in module.__dict__.items():
            rewired = key == "forward" and _is_ours(value)
            if key not in MODULE_TABLES and not key.startswith("_artiphys") and not rewired:
                self.words.append(f"{name}.{key}={self.value(value, f'{name}.{key}'.lstrip('.'), 0)}")

    def value(self, value: Any, where: str, depth: int) -> str:
        """A word for any value; what has none is noted in `unnamed`."""
        if isinstance(value, SIMPLE):
            return repr(value)
        if isinstance(value, (np.ndarray, np.generic)):
            return self._array(value, where, depth)
        if isinstance(value, Tensor):
            return "" if id(value) in self._tensors else f"{value.dtype}{tuple(value.shape)}{_short(value)}"
        if isinstance(value, torch.device):
            return ""  # the same on every device
        if isinstance(value, type):
            return _name(value)
        if id(value) in self.seen or depth > MAX_DEPTH:
            return ""
        if isinstance(value, nn.Module):
            self._module(where, value)  # one that hides in a list
            for inner, t in (*value.named_parameters(), *value.named_buffers()):
                self.words.append(f"{where}.{inner} {_short(t)}")
            return ""
        if isinstance(value, Mapping):
            return ",".join(f"{k!r}:{self.value(v, where, depth + 1)}" for k, v in value.items())
        if isinstance(value, (set, frozenset)):
            return ",".join(sorted(self.value(v, where, depth + 1) for v in value))
        if isinstance(value, (list, tuple)):
            return ",".join(self.value(v, where, depth + 1) for v in value)
        if isinstance(value, FUNCTIONS):
            return self._function(value, where)
        return self._object(value, where, depth)

    def _array(self, value: Any, where: str, depth: int) -> str:
        array = np.asarray(value)
        if array.dtype == object:
            return self.value(array.tolist(), where, depth + 1)
        return f"{array.dtype}{array.shape}{hashlib.blake2b(array.tobytes(), digest_size=8).hexdigest()}"

    def _object(self, value: Any, where: str, depth: int) -> str:
        self.seen[id(value)] = value
        kind = type(value)
        to_dict = getattr(value, "to_dict", None)
        if kind.__module__.startswith("transformers") and callable(to_dict):
            told = {k: v for k, v in to_dict().items() if k not in NOT_ARITHMETIC}
            text = f"{_name(kind)}({self.value(told, where, depth + 1)})"
            # A copy may share its configuration among modules where the original does not.
            return "" if text in self._told else self._told.setdefault(text, text)
        if dataclasses.is_dataclass(value):
            inside: Mapping[str, Any] = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        elif hasattr(value, "__dict__") and not _is_opaque(kind):
            inside = vars(value)
        else:
            self.unnamed.append(f"{where} is a {kind.__name__}")
            return _name(kind)
        if not _is_library(kind):
            return f"{_name(kind)}{_class_code(kind, self, where)}({self.value(inside, where, depth + 1)})"
        return f"{_name(kind)}({self.value(inside, where, depth + 1)})"

    def _function(self, fn: Any, where: str) -> str:
        if isinstance(fn, functools.partial):
            return f"{self._function(fn.func, where)}({self.value([fn.args, fn.keywords], where, 1)})"
        owner = getattr(fn, "__self__", None)
        if isinstance(fn, types.MethodType) and owner is not None:
            return f"{self._function(fn.__func__, where)} of {self.value(owner, where, 1)}"
        name = f"{getattr(fn, '__module__', '')}.{getattr(fn, '__qualname__', getattr(fn, '__name__', ''))}"
        if not isinstance(fn, types.FunctionType):
            return name if isinstance(fn, FUNCTIONS) else self._object(fn, where, 1)
        if _is_library(fn):
            return name
        if "<" in fn.__qualname__ or fn.__closure__:
            kind = "a lambda" if "<lambda>" in fn.__qualname__ else f"{fn.__name__!r}, a function made inside another"
            self.unnamed.append(f"{where} is {kind}")
        return f"{name} {_code(fn, self, where)}"


FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, functools.partial, np.ufunc,
             type(torch.relu), type(torch.nn.functional.gelu), types.MethodDescriptorType)  # fmt: skip
NOT_ARITHMETIC = {"_name_or_path", "transformers_version", "architectures", "torch_dtype", "dtype", "_commit_hash"}


def _class_code(kind: type, structure: Structure, where: str) -> str:
    """Bytecode of a class's own methods, up to the first base of a library."""
    parts = []
    for base in kind.__mro__:
        if _is_library(base):
            break
        for name, member in sorted(vars(base).items()):
            fn = getattr(member, "__func__", getattr(member, "fget", member))
            if isinstance(fn, types.FunctionType) and name not in ("__init__", "__repr__", "extra_repr"):
                parts.append(f"{name} {_code(fn, structure, where)}")
            elif isinstance(member, (*SIMPLE, *CONTAINERS)) and not name.startswith("__"):
                parts.append(f"{name}={structure.value(member, where, 1)}")
    return " ".join(parts)


def _code(fn: types.FunctionType, structure: Structure, where: str) -> str:
    """Digest of a function's bytecode, and of the user's functions and the plain values that it uses."""
    code = inspect_unwrapped(fn).__code__
    words = [_bytecode(code)]
    words += [repr(fn.__defaults__), repr(sorted((fn.__kwdefaults__ or {}).items()))]
    for name in sorted(set(_names_used(code))):
        used = fn.__globals__.get(name)
        if isinstance(used, types.FunctionType) and not _is_library(used):
            if id(used) not in structure.seen:
                structure.seen[id(used)] = used
                words.append(f"{name} {_code(used, structure, where)}")
        elif isinstance(used, SIMPLE) and used is not None:
            words.append(f"{name}={used!r}")
        elif isinstance(used, (Tensor, *CONTAINERS)):
            words.append(f"{name}={structure.value(used, where, 1)}")
        elif isinstance(used, type) and not _is_library(used) and id(used) not in structure.seen:
            structure.seen[id(used)] = used
            words.append(f"{name} {_class_code(used, structure, where)}")
    for cell in fn.__closure__ or ():
        try:
            inside = cell.cell_contents
        except ValueError:  # not yet filled
            continue
        if isinstance(inside, SIMPLE):
            words.append(repr(inside))
    return hashlib.blake2b("\n".join(words).encode(), digest_size=8).hexdigest()


def inspect_unwrapped(fn: Any) -> types.FunctionType:
    """The function behind decorators such as ``torch.inference_mode``."""
    while hasattr(fn, "__wrapped__"):
        fn = fn.__wrapped__
    return fn  # type: ignore[no-any-return]


def _bytecode(code: types.CodeType) -> str:
    constants = [_bytecode(c) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {constants}"


def _names_used(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_used(constant)


def _short(t: Tensor) -> str:
    return hashlib.blake2b(tensor_bytes(t), digest_size=8).hexdigest()


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


@functools.cache
def _installed() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple({paths[k] for k in ("purelib", "platlib", "stdlib", "platstdlib")})


def _is_library(thing: Any) -> bool:
    """Whether a class or function is of an installed package, whose code goes by its name."""
    module = str(getattr(thing, "__module__", "") or "")
    if module.partition(".")[0] in LIBRARIES:
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is not None and str(file).startswith(_installed())


def _is_opaque(kind: type) -> bool:
    return (
        kind.__module__.startswith(("torch._C", "torch._ops", "_thread", "weakref")) or kind.__name__ == "ScriptObject"
    )


def _is_ours(hook: Callable[..., Any]) -> bool:
    """Hooks of artiphys while it reads or writes, and those that TransformerLens wires itself with."""
    made_by = str(getattr(inspect_unwrapped(hook), "__module__", "") or type(hook).__module__)
    return made_by.startswith(("artiphys.", "transformer_lens."))
