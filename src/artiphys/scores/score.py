"""Score: a function of the outputs that gives one value per trial, or several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from artiphys.array_types import Array
from artiphys.errors import InputError
from artiphys.stimuli import Stimuli


@dataclass(frozen=True)
class Score:
    """``score(outputs, trials) -> Tensor (trial,)``, or ``(trial, output)`` for several values at once.

    Attributes
    ----------
    fn : callable
    name : str
        What is measured, for axis labels.
    unit : str
        Unit of the values, such as ``"nats"``.
    needs : "all" or "last"
        Which positions of the outputs it wants; with "last" they arrive as ``(trial, ...)``.
    key : str or None
        Name on disk; None for a plain function, which may not use a disk cache.
    outputs : tuple of str
        Names of the values of a vector-valued score (several metrics, a time course, one per class).
    reduce : callable, optional
        Makes it a score over the whole set of trials: ``fn`` then gives what is kept of each trial, and
        ``reduce(kept (coalition, trial) or (coalition, trial, number), trials)`` one value per coalition.
    rowwise : bool
        True if ``fn`` may get the outputs of several copies of the trials one after the other.
    """

    fn: Callable[[Any, Stimuli], Any]
    name: str
    unit: str = ""
    needs: Literal["all", "last"] = "all"
    key: str | None = None
    outputs: tuple[str, ...] = ()
    reduce: Callable[[Array, Stimuli], Array] | None = None
    rowwise: bool = False

    def __call__(self, outputs: Any, trials: Stimuli) -> Tensor:
        """One value (or vector) per trial; `InputError` if the function gave anything else, or NaN or infinity."""
        values = self.raw(outputs, trials, len(trials)).detach().cpu().to(torch.float64)
        bad = ~torch.isfinite(values).reshape(len(trials), -1).all(dim=1)
        if bool(bad.any()):
            raise InputError(f"score {self.name!r} is NaN or infinite on {int(bad.sum())} trials")
        return values

    def raw(self, outputs: Any, trials: Stimuli, n_rows: int) -> Tensor:
        """The values as the function gives them, gradients included, checked for type and shape."""
        scored = self.fn(outputs, trials)
        try:
            values = torch.as_tensor(scored)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(
                f"score {self.name!r} gave a {type(scored).__name__}; wanted one number per trial"
            ) from error
        if values.is_complex():
            raise InputError(f"score {self.name!r} gave complex numbers; wanted one real number per trial")
        wide = (n_rows, len(self.outputs)) if self.outputs else (n_rows,)
        if tuple(values.shape) != wide and not (self.reduce is not None and values.shape[:1] == (n_rows,)):
            raise InputError(
                f"score {self.name!r} gave values of shape {tuple(values.shape)} for {len(trials)} trials; "
                + (f"wanted {wide[1:]} values per trial" if self.outputs else "wanted one value per trial")
            )
        return values

    def summary(self, per_trial: Array, trials: Stimuli) -> Array:
        """Values of coalitions ``(n,)`` or ``(n, output)`` from what was kept ``(n, trial[, number])``."""
        return np.asarray(per_trial.mean(axis=1) if self.reduce is None else self.reduce(per_trial, trials))

    @classmethod
    def of(cls, score: Score | Callable[[Any, Stimuli], Any]) -> Score:
        """A score as it is, or made from a plain function ``(outputs, trials) -> one value per trial``."""
        if isinstance(score, Score):
            return score
        if not callable(score):
            raise InputError(f"the score came as {type(score).__name__}; wanted a function (outputs, trials) -> values")
        return cls(score, getattr(score, "__name__", "score"))
