"""Subjects of `artiphys examine`: a toy or a specimen, described in one form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch

from artiphys import specimens, toys
from artiphys.errors import InputError, unknown
from artiphys.lesions.operations.lesion import Kind
from artiphys.preparation.preparation import Preparation
from artiphys.scores.score import Score
from artiphys.specimens import Specimen
from artiphys.stimuli import Stimuli
from artiphys.toys import Toy

N_REPEATS = 20
NOISE_SD = 0.25


@dataclass(frozen=True)
class Subject:
    """A network to examine.

    Attributes
    ----------
    reading : Stimuli
        Trials that are recorded, for tuning and decoding.
    lesioning : Stimuli
        Trials the lesions are measured on; see `halves` for where players must be chosen first.
    noise : float
        Standard deviation of measurement noise added to recorded activity (toys without any of their own).
    exhaustive : bool
        True if `lesioning` holds all the inputs there are.
    """

    name: str
    task: str
    prep: Preparation
    reading: Stimuli
    lesioning: Stimuli
    label: str
    layers: tuple[str, ...]
    players: tuple[str, ...]
    grouped: bool
    score: Score
    kind: Kind
    noise: float
    exhaustive: bool
    circular: float | None
    toy: Toy | None

    def first_half(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Trials to choose players on; the others are to measure them on. Labels are spread over both."""
        labels = self.lesioning.conditions[self.label].to_numpy()
        if np.unique(labels, return_counts=True)[1].min() < 2:
            labels = np.zeros(len(labels))  # a label of one trial cannot be on both sides
        first = np.zeros(len(labels), dtype=bool)
        for value in np.unique(labels):
            first[np.flatnonzero(labels == value)[::2]] = True
        return first

    @property
    def held_out(self) -> str:
        """In words, which trials the second half is."""
        return (
            "the same trials, which are all there are"
            if self.exhaustive
            else f"{(~self.first_half()).sum()} other trials"
        )


def names() -> list[str]:
    """Everything that can be examined by name."""
    return [*toys.names(), *specimens.names()]


def load(name: str, *, kind: Kind | None = None, n_lesion_trials: int = 24) -> Subject:
    """A subject by name.

    Raises
    ------
    InputError
        If there is no such toy or specimen.
    """
    if name in toys.names():
        return _toy(toys.load(name), kind)
    if name in specimens.names():
        return _specimen(specimens.load(name), kind or "mean", n_lesion_trials)
    raise InputError(unknown("toy or specimen", name, names()))


def _toy(toy: Toy, kind: Kind | None) -> Subject:
    prep = toy.preparation()
    stimuli = toy.stimuli
    if "label" not in stimuli.conditions.columns:
        stimuli = Stimuli(stimuli.inputs, stimuli.conditions.assign(label=toy.labels), ids=stimuli.ids)
    reading = stimuli[:1000]
    if toy.exhaustive:
        inputs: Any = stimuli.inputs
        again = stimuli.conditions.loc[np.tile(np.arange(len(stimuli)), N_REPEATS)].reset_index(drop=True)
        reading = Stimuli(torch.cat([inputs] * N_REPEATS), again)
    layers = (
        ("input", *toy.players)
        if "input" in prep.sites and prep.sites["input"].dtype.is_floating_point
        else toy.players
    )
    return Subject(
        name=toy.name,
        task=toy.lesson,
        prep=prep,
        reading=reading,
        lesioning=stimuli,
        label="label",
        layers=layers,
        players=toy.players,
        grouped=toy.grouped,
        score=toy.score,
        kind=kind or cast(Kind, toy.kinds[0]),
        noise=NOISE_SD if toy.exhaustive else 0.0,
        exhaustive=toy.exhaustive,
        circular=None,
        toy=toy,
    )


def _specimen(specimen: Specimen, kind: Kind, n_trials: int) -> Subject:
    return Subject(
        name=specimen.name,
        task=specimen.task,
        prep=specimen.preparation(),
        reading=specimen.stimuli,
        lesioning=specimen.stimuli[: min(n_trials, len(specimen.stimuli))],
        label=specimen.label,
        layers=(specimen.layers,),
        players=specimen.players,
        grouped=False,
        score=specimen.score,
        kind=kind,
        noise=0.0,
        exhaustive=False,
        circular=specimen.circular,
        toy=None,
    )
