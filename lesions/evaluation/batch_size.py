"""Batch sizes: rows per call of a stage, found by measuring during the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from artiphys.array_types import Array
from artiphys.lesions.evaluation.prefix_tree import Tree
from artiphys.stimuli import Stimuli

MAX_ROWS = 1 << 17
MAX_NUMBERS = 1 << 23  # of a batch between two stages (32 MiB in float32)
MIN_GAIN = 1.05  # a larger batch must be faster by this much to be worth its memory
MEMORY_SHARE = 0.4
N_MEASURED_BLOCKS, LONG_BLOCK_SECONDS = (
    3,
    0.02,
)  # blocks to measure a size on, and seconds per block beyond which fewer do


class BatchSizes:
    """Rows per call, trials per batch, and coalitions per block.

    On a CPU larger is slower once a batch leaves the caches, on a GPU it is faster until memory ends; so
    sizes around a first guess are tried on the work itself, and the fastest is kept.

    Parameters
    ----------
    stimuli : Stimuli
    rows : int, optional
        Fixed rows per forward pass; nothing is then measured, and a block is one such batch.
    known : int, optional
        Rows found earlier for the same model and stimuli.
    whole : bool
        All trials must stand in one batch, so that nothing can be halved.
    width : int
        Numbers of one row that pass between two stages.
    """

    def __init__(
        self, stimuli: Stimuli, rows: int | None, known: int | None = None, whole: bool = False, width: int = 1
    ) -> None:
        self.n_trials, self.whole = len(stimuli), whole
        self.fixed = rows is not None
        self.limit = max(1, min(MAX_ROWS, MAX_NUMBERS // width))
        self.rows = rows or known or min(first_guess(stimuli), self.limit)
        self.settled = self.fixed or known is not None
        self._rates: dict[int, float] = {}
        self._tried: dict[int, tuple[int, float]] = {}  # blocks and seconds, by rows
        self._warm = False

    @property
    def trials(self) -> int:
        """Trials a batch."""
        n_batches = -(-self.n_trials // self.rows)
        return -(-self.n_trials // n_batches)

    @property
    def n_at_once(self) -> int:
        """Nodes a call of a stage."""
        return max(1, self.rows // self.trials)

    def block(self, sorted_cut: Array, first_stage: Array, costs: Sequence[float]) -> int:
        """Coalitions of the next block: a few calls' worth where larger blocks share more."""
        if self.fixed or len(costs) < 2:
            return self.n_at_once
        some = sorted_cut[: self.n_at_once * 64]
        parting = Tree.of(some, first_stage, len(costs)).parting
        left = np.r_[np.cumsum(costs[::-1])[::-1], 0.0]  # from each stage to the end
        base = left[int(first_stage.min())]
        whole = left[parting].sum() + base

        def units(size: int) -> float:  # the path down to the first coalition of each block is computed again
            return float(whole + (base - left[parting[size - 1 :: size]]).sum())

        sizes = [m * self.n_at_once for m in (1, 2, 4, 8, 16) if m == 1 or m * self.rows <= self.limit]
        best = min(units(s) for s in sizes)
        return next(s for s in sizes if units(s) <= 1.02 * best)

    def note(self, rows: int, work: float, seconds: float, peak: tuple[int, int], room: int) -> None:
        """What a block took.

        ``work`` in copies of a trial through a stage, ``peak`` memory before and after and ``room`` left [bytes].
        """
        if self.settled:
            return
        grown = peak[1] - peak[0]
        if grown > 0 and grown / max(rows, 1) * self.rows * 4 > MEMORY_SHARE * room:
            self.limit = min(self.limit, self.rows)
        if not self._warm and not self._rates:
            self._warm = True  # the first pass of a process pays for what all others find ready
            return
        self._rates[self.rows] = max(self._rates.get(self.rows, 0.0), work / max(seconds, 1e-9))
        blocks, spent = self._tried.get(self.rows, (0, 0.0))
        self._tried[self.rows] = blocks, spent = blocks + 1, spent + seconds
        # Quick blocks are measured a few times: one that was held up by something else must not decide.
        if blocks >= N_MEASURED_BLOCKS or spent > N_MEASURED_BLOCKS * LONG_BLOCK_SECONDS:
            self._next(seconds)

    def _next(self, seconds: float) -> None:
        best = max(self._rates, key=lambda r: self._rates[r])
        step = 4 if seconds < 2e-3 else 2
        up, down = best * step, best // 2
        tried_up = any(r > best for r in self._rates)
        gained = [r for r in self._rates if r < best]
        worth = not gained or self._rates[best] > MIN_GAIN * max(self._rates[r] for r in gained)
        if not tried_up and up <= self.limit and worth:
            self.rows = up
        elif best == min(self._rates) and down >= 4 and len(self._rates) < 6:
            self.rows = down
        else:
            self.rows, self.settled = best, True

    def halve(self) -> bool:
        """After running out of memory: half the rows; False if there is nothing to halve."""
        if self.rows <= 1 or self.whole:
            return False
        self.rows = self.limit = max(1, min(self.rows, self.n_trials * self.n_at_once) // 2)
        self.settled = True
        return True


def first_guess(stimuli: Stimuli) -> int:
    """Rows to begin with: about 2,000 tokens, or 128 thousand numbers of input."""
    t = next(iter(stimuli.inputs.values())) if isinstance(stimuli.inputs, Mapping) else stimuli.inputs
    size = max(1, t[0].numel())
    guess = (1 << 17) // size if t.is_floating_point() else 2048 // size
    return int(np.clip(guess, 8, 4096))
