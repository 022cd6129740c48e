"""Cost: forward passes, layer-units, seconds and bytes of a set of coalitions, before they are spent."""

from __future__ import annotations

from dataclasses import dataclass

from artiphys.array_types import Array
from artiphys.lesions.evaluation.batch_size import BatchSizes
from artiphys.lesions.evaluation.evaluator import Evaluator
from artiphys.lesions.evaluation.prefix_tree import Tree


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


def planned(evaluator: Evaluator | None, sizes: BatchSizes | None, todo: Array, width: int, rate: float | None) -> Plan:
    """What different coalitions (bool ``(n, player)``) will cost.

    Parameters
    ----------
    evaluator, sizes
        None where the score runs the network itself.
    width : int
        Numbers kept of a coalition.
    rate : float, optional
        Seconds per layer-unit.
    """
    units, n_whole = units_of(evaluator, todo)
    n_forwards, sharing = len(todo), "one run of the behaviour per coalition"
    if evaluator is not None:
        sharing = evaluator.layout.why
        if len(todo) and sizes is not None:
            cut = ~todo[evaluator.sort(todo)]
            n_per_block = sizes.block(cut, evaluator.layout.first_stage, evaluator.layout.costs)
            n_forwards = -(-len(todo) // n_per_block) * -(-len(evaluator.stimuli) // sizes.trials)
    return Plan(
        n_coalitions=len(todo),
        n_forwards=n_forwards,
        layer_units=units,
        loop_units=float(len(todo) * n_whole),
        seconds=float("nan") if rate is None else units * rate,
        n_bytes=len(todo) * width * 8,
        sharing=sharing,
    )


def units_of(evaluator: Evaluator | None, coalitions: Array) -> tuple[float, int]:
    """Layer-units that coalitions need, and those of one coalition by itself."""
    layout = None if evaluator is None else evaluator.layout
    if evaluator is None or layout is None or not layout.n_stages or not len(coalitions):
        return float(len(coalitions)), 1
    cut = ~coalitions[evaluator.sort(coalitions)]
    return Tree.of(cut, layout.first_stage, layout.n_stages).cost(layout.costs), layout.n_whole
