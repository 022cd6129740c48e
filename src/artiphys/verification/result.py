"""Scoreboard: what methods said of toys, beside what is true."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from artiphys.border import border

N_SHOWN = 12


@dataclass(frozen=True)
class Score:
    """One method on one truth of one toy.

    Attributes
    ----------
    method, toy, analysis : str
    kind : str or None
        Of lesion.
    key : str
        Player, unit, set or case where the answer is furthest off.
    expected, got, error : float
        There; NaN where the method gave nothing.
    tolerance : float
    passed : bool
    seconds : float
    n_evaluations : int
        Coalitions.
    note : str
        Why there is no number, or which sets were wrong.
    """

    method: str
    toy: str
    analysis: str
    kind: str | None
    key: str
    expected: float
    got: float
    error: float
    tolerance: float
    passed: bool
    seconds: float
    n_evaluations: int
    note: str


@dataclass(frozen=True)
class Scoreboard:
    """Methods on toys: a table of scores.

    Attributes
    ----------
    scores : tuple of Score
    version : str
    seconds : float
    """

    scores: tuple[Score, ...]
    version: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every method gave every answer that it claims to give."""
        return all(s.passed for s in self.scores)

    @property
    def failures(self) -> tuple[Score, ...]:
        """Scores that did not pass."""
        return tuple(s for s in self.scores if not s.passed)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per method, toy and truth; columns as in `Score`."""
        return pd.DataFrame([asdict(s) for s in self.scores])

    def summary(self) -> pd.DataFrame:
        """One row per method: truths, how many it found, the largest error, seconds, coalitions."""
        table = self.to_dataframe()
        rows = table.groupby("method", sort=False)
        return pd.DataFrame(
            {
                "truths": rows.size(),
                "found": rows["passed"].sum().astype(int),
                "toys": rows["toy"].nunique(),
                "worst error": rows["error"].max(),
                "seconds": rows["seconds"].sum(),
                "coalitions": rows["n_evaluations"].sum(),
            }
        )

    @border
    def to_json(self, path: str | Path) -> Path:
        """Write all scores; numbers that are not finite become null."""
        scores = [
            {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(s).items()}
            for s in self.scores
        ]
        page = {"version": self.version, "passed": self.passed, "seconds": self.seconds, "scores": scores}
        Path(path).write_text(json.dumps(page, indent=1), encoding="utf-8")
        return Path(path)

    @border
    def to_html(self, path: str | Path) -> Path:
        """Write a page: methods against toys, then what failed, then every score."""
        environment = Environment(
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            loader=PackageLoader("artiphys.verification", "."),
        )
        methods = list(dict.fromkeys(s.method for s in self.scores))
        toys = list(dict.fromkeys(s.toy for s in self.scores))
        cells = {(t, m): [s for s in self.scores if (s.toy, s.method) == (t, m)] for t in toys for m in methods}
        page = environment.get_template("board.html").render(board=self, methods=methods, toys=toys, cells=cells)
        Path(path).write_text(page, encoding="utf-8")
        return Path(path)

    def in_words(self) -> str:
        """How many truths were found, and what failed."""
        n, n_bad = len(self.scores), len(self.failures)
        methods, toys = ({getattr(s, name) for s in self.scores} for name in ("method", "toy"))
        head = f"{len(methods)} methods on {len(toys)} toys: {n - n_bad} of {n} truths found ({self.seconds:.0f} s)."
        lines = [head, *(f"  {described(s)}" for s in self.failures[:N_SHOWN])]
        if n_bad > N_SHOWN:
            lines.append(f"  and {n_bad - N_SHOWN} more")
        return "\n".join(lines)

    def __str__(self) -> str:
        shown: dict[str, Any] = {"float_format": lambda v: f"{v:.3g}"}
        return f"{self.summary().to_string(**shown)}\n{self.in_words()}"

    def __repr__(self) -> str:
        return f"Scoreboard: {self.in_words()}"


def described(score: Score) -> str:
    """A failure in one line."""
    where = f"{score.method} on {score.toy}, {score.analysis}" + (f" ({score.kind})" if score.kind else "")
    if math.isnan(score.got):
        return f"{where}: {score.note}"
    note = f" ({score.note})" if score.note else ""
    true = f"{score.expected:.6g} is true, within {score.tolerance:.2g}"
    return f"{where}: {score.key} came as {score.got:.6g}; {true}{note}"
