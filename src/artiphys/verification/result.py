"""Scoreboard: what methods said of toys, beside what is true."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from artiphys.border import border
from artiphys.verification.circuit_measures import NOTHING_MEASURED, CircuitMeasures

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
    peer : bool
        Whether the method is there for comparison only.
    measures : CircuitMeasures
        Of a circuit or ranking; NaN elsewhere.
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
    peer: bool = False
    measures: CircuitMeasures = NOTHING_MEASURED


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
        """Whether every method gave every answer that it claims to give; peers are compared only, and never enough."""
        own = [s.passed for s in self.scores if not s.peer]
        return bool(own) and all(own)

    def __bool__(self) -> bool:
        """Whether it passed: an assertion of a board is one of its answers."""
        return self.passed

    @property
    def failures(self) -> tuple[Score, ...]:
        """Scores that did not pass, without those of peers."""
        return tuple(s for s in self.scores if not s.passed and not s.peer)

    def to_dataframe(self) -> pd.DataFrame:
        """One row per method, toy and truth; columns as in `Score`, and those of `CircuitMeasures`."""
        columns = [f.name for part in (Score, CircuitMeasures) for f in fields(part) if f.name != "measures"]
        return pd.DataFrame([_flat(s) for s in self.scores], columns=columns)

    def summary(self) -> pd.DataFrame:
        """One row per method: truths, how many it found, the largest error, seconds, coalitions; means for circuits.

        The columns of circuits (see `CircuitMeasures`) are there if any method gave sets or rankings.
        """
        table = self.to_dataframe()
        rows = table.groupby("method", sort=False)
        summary = pd.DataFrame(
            {
                "truths": rows.size(),
                "found": rows["passed"].sum().astype(int),
                "toys": rows["toy"].nunique(),
                "worst error": rows["error"].max(),
                "seconds": rows["seconds"].sum(),
                "coalitions": rows["n_evaluations"].sum(),
            }
        )
        if table["exact"].notna().any():
            names = {"exact": "exact", "false_members": "false", "roc_auc": "ROC AUC", "cpr": "CPR", "cmd": "CMD"}
            for column, name in names.items():
                summary[name] = pd.to_numeric(table[column]).groupby(table["method"], sort=False).mean()
        return summary

    @border
    def to_json(self, path: str | Path) -> Path:
        """Write all scores; numbers that are not finite become null."""
        scores = [
            {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in _flat(s).items()}
            for s in self.scores
        ]
        page = {"version": self.version, "passed": self.passed, "seconds": self.seconds, "scores": scores}
        Path(path).write_text(json.dumps(page, indent=1), encoding="utf-8")
        return Path(path)

    @border
    def to_html(self, path: str | Path) -> Path:
        """Write a page: a summary of methods, each network with who found it, what failed, and every score."""
        environment = Environment(
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            loader=PackageLoader("artiphys.verification", "."),
        )
        methods = list(dict.fromkeys(s.method for s in self.scores))
        toys = list(dict.fromkeys(s.toy for s in self.scores))
        cells: dict[tuple[str, str], list[Score]] = {(t, m): [] for t in toys for m in methods}
        for s in self.scores:
            cells[s.toy, s.method].append(s)
        summary = self.summary()
        shown = [(name, [_number(v) for v in row]) for name, row in zip(summary.index, summary.to_numpy().tolist())]
        peers = {s.method for s in self.scores if s.peer}
        page = environment.get_template("board.html").render(
            board=self, methods=methods, toys=toys, cells=cells, peers=peers, columns=list(summary), rows=shown
        )
        Path(path).write_text(page, encoding="utf-8")
        return Path(path)

    def in_words(self) -> str:
        """How many truths were found, and what failed."""
        own = [s for s in self.scores if not s.peer]
        n, n_bad = len(own), len(self.failures)
        methods, toys = ({getattr(s, name) for s in own} for name in ("method", "toy"))
        head = f"{_counted(len(methods), 'method')} on {_counted(len(toys), 'toy')}: "
        head += f"{n - n_bad} of {_counted(n, 'truth')} found ({self.seconds:.0f} s)."
        if compared := len({s.method for s in self.scores if s.peer}):
            peers = [s.passed for s in self.scores if s.peer]
            told = f"{_counted(compared, 'peer')} compared: {sum(peers)} of {_counted(len(peers), 'truth')} found."
            head = f"{head} {told}" if own else told
        lines = [head, *(f"  {described(s)}" for s in self.failures[:N_SHOWN])]
        if n_bad > N_SHOWN:
            lines.append(f"  and {n_bad - N_SHOWN} more")
        return "\n".join(lines)

    def __str__(self) -> str:
        shown: dict[str, Any] = {"float_format": lambda v: f"{v:.3g}"}
        return f"{self.summary().to_string(**shown)}\n{self.in_words()}"

    def __repr__(self) -> str:
        return f"Scoreboard: {self.in_words()}"


def _counted(n: int, what: str) -> str:
    """As "1 toy" or "2 toys"."""
    return f"{n} {what}{'' if n == 1 else 's'}"


def _number(value: float) -> str:
    """For a cell: whole numbers with separators, others with three digits, nothing for NaN."""
    if math.isnan(value):
        return ""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.3g}"


def _flat(score: Score) -> dict[str, Any]:
    row = asdict(score)
    measures: dict[str, Any] = row.pop("measures")
    return row | measures


def described(score: Score) -> str:
    """A failure in one line."""
    where = f"{score.method} on {score.toy}, {score.analysis}" + (f" ({score.kind})" if score.kind else "")
    if math.isnan(score.got):
        return f"{where}: {score.note}"
    note = f" ({score.note})" if score.note else ""
    true = f"{score.expected:.6g} is true, within {score.tolerance:.2g}"
    return f"{where}: {score.key} came as {score.got:.6g}; {true}{note}"
