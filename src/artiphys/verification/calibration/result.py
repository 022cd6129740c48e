"""Calibration: rates as measured, beside those that analyses state."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
from scipy.stats import binomtest

from artiphys.border import border
from artiphys.verification.calibration.claim import What

SURE = 0.999  # confidence of the binomial limits that a verdict needs


@dataclass(frozen=True)
class Rate:
    """One rate: how often an analysis rejected or covered.

    Attributes
    ----------
    analysis, what, design : str
        As of the claim.
    stated : float
        Rate that is claimed: at most of false positives, at least of coverage; of power about.
    hits, runs : int
        Independent data sets in which it happened, and all.
    seconds : float
    """

    analysis: str
    what: What
    design: str
    stated: float
    hits: int
    runs: int
    seconds: float

    @property
    def rate(self) -> float:
        """As measured."""
        return self.hits / self.runs

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Exact binomial ends (Clopper & Pearson 1934, The use of confidence or fiducial limits)."""
        found = binomtest(self.hits, self.runs).proportion_ci(confidence)
        return float(found.low), float(found.high)

    @property
    def verdict(self) -> str:
        """ "holds", "conservative" (errs on the safe side) or "broken", by limits of 99.9 %."""
        low, high = self.interval(SURE)
        if low <= self.stated <= high:
            return "holds"
        safe = {"false positives": high < self.stated, "coverage": low > self.stated, "power": False}
        return "conservative" if safe[self.what] else "broken"


@dataclass(frozen=True)
class Calibration:
    """Rates of many analyses.

    Attributes
    ----------
    rates : tuple of Rate
    seed : int
    version : str
    """

    rates: tuple[Rate, ...]
    seed: int
    version: str

    @property
    def passed(self) -> bool:
        """Whether no claim is broken."""
        return not any(r.verdict == "broken" for r in self.rates)

    def __bool__(self) -> bool:
        """Whether it passed."""
        return self.passed

    def to_dataframe(self) -> pd.DataFrame:
        """One row per claim, with the measured rate, its 95 % interval and the verdict."""
        rows = []
        for r in self.rates:
            low, high = r.interval()
            rows.append(asdict(r) | {"rate": r.rate, "low": low, "high": high, "verdict": r.verdict})
        return pd.DataFrame(rows)

    @border
    def to_json(self, path: str | Path) -> Path:
        """Write all rates."""
        rows = self.to_dataframe().to_dict(orient="records")
        page = {"version": self.version, "seed": self.seed, "passed": self.passed, "rates": rows}
        Path(path).write_text(json.dumps(page, indent=1), encoding="utf-8")
        return Path(path)

    def in_words(self) -> str:
        """Which claims hold; that nothing was found where there is nothing."""
        broken = [r for r in self.rates if r.verdict == "broken"]
        nothing = [r for r in self.rates if r.what == "false positives"]
        quiet = [r for r in nothing if r.verdict != "broken"]
        lines = [f"{len(self.rates) - len(broken)} of {len(self.rates)} stated rates hold."]
        if nothing:
            lines.append(
                f"Where there is nothing to find, nothing found beyond the stated rate by {len(quiet)} of "
                f"{len(nothing)} tests ({sum(r.runs for r in nothing):,} data sets)."
            )
        for r in broken:
            low, high = r.interval()
            lines.append(
                f"  {r.analysis}, {r.design}: {r.what} {r.rate:.3f} [{low:.3f}, {high:.3f}] of {r.runs}; "
                f"{r.stated:.3f} is stated"
            )
        return "\n".join(lines)

    def __str__(self) -> str:
        table = self.to_dataframe()[["analysis", "what", "design", "stated", "rate", "low", "high", "runs", "verdict"]]
        return f"{table.to_string(index=False, float_format=lambda v: f'{v:.3f}')}\n{self.in_words()}"

    def __repr__(self) -> str:
        return f"Calibration: {self.in_words()}"
