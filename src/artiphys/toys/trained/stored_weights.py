"""Weights that travel with the package: one safetensors file per kind of toy, with the recipe that made it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from artiphys.errors import InputError

FOLDER = Path(__file__).parent / "weights"


def read_weights(name: str, folder: Path | None = None) -> dict[str, Tensor]:
    """All tensors of one file, by name.

    >>> sorted(read_weights("superposition"))[:2]
    ['n=2 m=1 p=0.2.bias', 'n=2 m=1 p=0.2.directions']
    """
    return load_file(_file(name, folder))


def read_recipe(name: str, folder: Path | None = None) -> dict[str, str]:
    """How the weights were made: module to run, seed, steps."""
    with safe_open(_file(name, folder), framework="pt") as file:
        return dict(file.metadata() or {})


def write_weights(name: str, tensors: Mapping[str, Tensor], recipe: Mapping[str, object], folder: Path) -> Path:
    """Keep tensors and their recipe in ``folder``; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    save_file(
        {key: t.detach().contiguous().clone() for key, t in tensors.items()},
        path,
        metadata={key: str(value) for key, value in recipe.items()},
    )
    return path


def parts(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix`` and a dot, without it."""
    start = f"{prefix}."
    return {key.removeprefix(start): t for key, t in tensors.items() if key.startswith(start)}


def _file(name: str, folder: Path | None) -> Path:
    path = (folder or FOLDER) / f"{name}.safetensors"
    if not path.is_file():
        raise InputError(f"the weights {path.name} are not in {path.parent}; install artiphys again, or train them")
    return path
