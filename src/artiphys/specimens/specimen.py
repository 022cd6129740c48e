"""Specimen: a trained network with a task, shaped like a toy but without a known truth."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from artiphys.errors import MissingExtraError
from artiphys.preparation.preparation import Preparation
from artiphys.preparation.wrap import wrap, wrap_transformer
from artiphys.scores.score import Score
from artiphys.stimuli import Stimuli


@dataclass(frozen=True)
class Specimen:
    """A trained network and a task for it.

    Attributes
    ----------
    name : str
    model : Module
    stimuli : Stimuli
    labels : ndarray ``(trial,)``
        What to decode; ``label`` names the column of the conditions it is.
    score : Score
    players : tuple of str
        Patterns of sites whose units are the players.
    layers : str
        Pattern of the sites a decoding by layer reads.
    task : str
        The task in one sentence.
    """

    name: str
    model: nn.Module
    stimuli: Stimuli
    labels: np.ndarray[Any, Any]
    label: str
    score: Score
    players: tuple[str, ...]
    layers: str
    task: str
    tokenizer: Any = None
    circular: float | None = None
    _prepared: list[Preparation] = field(default_factory=list, repr=False, compare=False)

    def preparation(self) -> Preparation:
        """The wrapped specimen; the same one each time."""
        if not self._prepared or self._prepared[0].unwrapped:
            of_tokens = self.tokenizer is not None
            made = wrap_transformer(self.model, self.tokenizer) if of_tokens else wrap(self.model, self.stimuli[:2])
            self._prepared[:] = [made]
        return self._prepared[0]


def package_folder(package: str, specimen: str) -> Path:
    """Folder of an installed package, found without running it.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            f"specimen {specimen!r} needs the package {package.replace('_', '-')}, which is not installed; install "
            "the extra from the repository: pip install -c constraints.txt '.[specimens]'"
        )
    return Path(spec.origin).parent
