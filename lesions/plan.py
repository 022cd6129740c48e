"""Plan: what a set of coalitions will cost, before anything is spent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Cost of evaluating coalitions.

    Attributes
    ----------
    n_coalitions : int
        Different coalitions that are not known yet.
    n_forwards : int
        Forward passes of the model, each over a block of coalitions.
    layer_units : float
        Stages (layers, blocks, steps) to compute, in copies of all trials.
    loop_units : float
        The same if each coalition were a forward pass of its own.
    seconds : float
        At the rate of one measured forward pass [s]; NaN if none was measured (``measure=False``).
    n_bytes : int
        Size of the values to be kept [bytes].
    sharing : str
        How coalitions share computation, or why they do not.
    """

    n_coalitions: int
    n_forwards: int
    layer_units: float
    loop_units: float
    seconds: float
    n_bytes: int
    sharing: str

    @property
    def ceiling(self) -> float:
        """How many times cheaper than the loop, were computation all there is."""
        return self.loop_units / self.layer_units if self.layer_units else 1.0

    def __repr__(self) -> str:
        return (
            f"Plan: {self.n_coalitions} coalitions, {self.n_forwards} forward passes, {self.layer_units:.4g} "
            f"layer-units ({self.ceiling:.2f} times fewer than a loop), about {self.seconds:.3g} s, "
            f"{self.n_bytes / 1e6:.3g} MB of values; {self.sharing}"
        )
