"""Model of two stimuli: spans of its effects, and F of each, for unequal numbers of trials and unequal variances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Integer

from artiphys.array_types import Array
from artiphys.errors import StatisticsError

RANK_TOLERANCE = 1e-9
ROUNDING = 1e-12  # of sums of squares of activity whose variance is 1


class TwoWayModel:
    """Effects of two stimuli and their interaction, over trials of any number for each combination.

    Attributes
    ----------
    df : int ``(3,)``
        Degrees of freedom of the first stimulus, the second one and the interaction.
    df_residual : int

    Parameters
    ----------
    levels : int ``(2, trial)``
    names : of the stimuli
    n_confounds : int
        Degrees of freedom that activity has lost already.

    Raises
    ------
    StatisticsError
        Where an effect has no degree of freedom.
    """

    def __init__(self, levels: Integer[Array, "two trial"], names: Sequence[str], n_confounds: int = 0) -> None:
        n = levels.shape[1]
        codes = [
            np.unique(v, return_inverse=True)[1].ravel()
            for v in (*levels, levels[0] * (int(levels[1].max()) + 1) + levels[1])
        ]
        columns = [np.eye(int(v.max()) + 1)[v] for v in codes[:2]]
        member = np.eye(int(codes[2].max()) + 1)[codes[2]]
        first, second, both = (_basis(c) for c in (*columns, np.hstack(columns)))
        self._cells = member / np.sqrt(member.sum(axis=0))
        self._reduced = [second, first, both]
        larger = [both, both, self._cells]
        self._effects = [_beyond(more, less) for more, less in zip(larger, self._reduced)]
        self.df = np.array([e.shape[1] for e in self._effects])
        self.df_residual = n - member.shape[1] - n_confounds
        if self.df_residual < 1:
            raise StatisticsError("every combination has a single trial, so that the variance within is unknown")
        if both.shape[1] < columns[0].shape[1] + columns[1].shape[1] - 1:
            raise StatisticsError(
                "the visited combinations fall into parts that share no value of either stimulus; use fewer bins"
            )
        if not self.df.all():
            lost = [*names, "interaction"][int((self.df == 0).argmax())]
            raise StatisticsError(
                f"the visited combinations leave no degree of freedom for {lost}; show more of them or use fewer bins"
            )

    def shares(self, y: Float[Array, "trial unit"]) -> Float[Array, "effect unit"]:
        """Share of the variance over trials that each effect takes up given the others."""
        return np.asarray(self._squares(y) / np.maximum((y**2).sum(axis=0), 1e-300))

    def f(self, y: Float[Array, "trial unit"]) -> Float[Array, "effect unit"]:
        """F of each effect ``y`` of mean 0 and about variance 1, from type II sums of squares.

        0 where no sum of squares is more than rounding, and infinite where there is no variance otherwise.
        """
        squares, inside = self._squares(y), (y**2).sum(axis=0) - _power(self._cells, y)
        squares = np.where(squares > ROUNDING, squares, 0.0) / self.df[:, None]
        inside = np.where(inside > ROUNDING, inside, 0.0) / self.df_residual
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(squares > 0, squares / inside, 0.0)

    def residuals(self, y: Float[Array, "trial unit"], effect: int) -> Float[Array, "trial unit"]:
        """What the model without an effect leaves, raised where a trial draws its own fit towards itself."""
        less = self._reduced[effect]
        leverage = np.minimum((less**2).sum(axis=1), 1 - 1e-3)
        return np.asarray((y - less @ (less.T @ y)) / np.sqrt(1 - leverage)[:, None])

    def _squares(self, y: Array) -> Array:
        return np.stack([_power(e, y) for e in self._effects])


def _basis(columns: Array) -> Array:
    """Orthonormal columns that span those given."""
    u, size, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(u[:, size > RANK_TOLERANCE * size[0]])


def _beyond(larger: Array, smaller: Array) -> Array:
    """Orthonormal columns of what ``larger`` spans at right angles to ``smaller``."""
    u, size, _ = np.linalg.svd(larger - smaller @ (smaller.T @ larger), full_matrices=False)
    return np.asarray(u[:, size > 1e-6])


def _power(basis: Array, y: Array) -> Array:
    return np.asarray(((basis.T @ y) ** 2).sum(axis=0))
