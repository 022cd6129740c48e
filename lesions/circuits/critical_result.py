"""CriticalSets: sets of players that are missed when they are lesioned together."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from artiphys.lesions.circuits.result import Names


@dataclass(frozen=True)
class CriticalSets:
    """Minimal sets of players whose joint lesion leaves less than a given share of the behaviour.

    Attributes
    ----------
    sets : tuple of tuples
        Smallest first; all there are where ``complete``.
    residuals : tuple of float
        Faithfulness that is left when each is lesioned, on the trials of the search.
    held_out : tuple of float
        The same on held-out trials; NaN where there are none.
    verdicts : tuple of str
        "critical" if the 95 % interval on held-out trials lies below the residual asked for, "refuted" if above, else
        "undecided".
    residual : float
        What the faithfulness that is left lies below: .95 means impaired, .05 abolished.
    complete : bool
    certificate, certificate_text, pool, n_evaluations, intact, lesioned, method, kind, score, seed, n_trials
        As in `Circuit`.
    """

    sets: tuple[Names, ...]
    residuals: tuple[float, ...]
    held_out: tuple[float, ...]
    verdicts: tuple[str, ...]
    residual: float
    complete: bool
    certificate: str
    certificate_text: str
    pool: Names
    n_evaluations: dict[str, int]
    intact: float
    lesioned: float
    method: str
    kind: str
    score: str
    seed: int
    n_trials: int
    n_held_out: int
    no_holdout: str
    every_player: Names
    version: str = ""
    seconds: float = 0.0

    def to_dataframe(self) -> pd.DataFrame:
        """One row per set: its size, what is left without it, the same held out, and the verdict."""
        columns = {"size": [len(s) for s in self.sets], "left": self.residuals, "held_out": self.held_out,
                   "verdict": self.verdicts}  # fmt: skip
        return pd.DataFrame(columns, index=pd.Index(self.sets, name="set", tupleize_cols=False))

    def methods_text(self) -> str:
        """A paragraph fit for a methods section."""
        which = "All minimal sets" if self.complete else "Smallest sets"
        return (
            f"{which} of players were searched whose lesion leaves less than {self.residual:g} of the {self.score} "
            f"({self.method}, {sum(self.n_evaluations.values())} coalitions, seed {self.seed}); lesions were of kind "
            f"'{self.kind}'. {self.certificate_text[:1].upper()}{self.certificate_text[1:]} (artiphys {self.version})."
        )

    def __repr__(self) -> str:
        state = "all" if self.complete else "some"
        return (
            f"CriticalSets({state} minimal sets that leave less than {self.residual:g} of the {self.score}; "
            f"{self.certificate})\n{self.to_dataframe().round(4).to_string()}"
        )
