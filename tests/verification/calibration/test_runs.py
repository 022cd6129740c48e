"""Calibration: it counts rightly, and it breaks for each way in which an interval or a p-value could be wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import artiphys as ap
from artiphys.cli import app
from artiphys.errors import InputError
from artiphys.lesions.circuits.halves import Halves
from artiphys.stats.permutations import Permutations
from artiphys.stats.trial_means import TrialMeans
from artiphys.verification.calibration import game_claims, probe_claims
from artiphys.verification.calibration.claim import Claim
from artiphys.verification.calibration.result import Rate
from artiphys.verification.calibration.runs import claims, measure

Apply = Callable[[pytest.MonkeyPatch], None]


def changed(target: str, change: Callable[..., Any]) -> Apply:
    """Something that an analysis calls, replaced by a function of it and of its arguments."""

    def apply(monkeypatch: pytest.MonkeyPatch) -> None:
        import importlib

        module, _, name = target.rpartition(".")
        original = getattr(importlib.import_module(f"artiphys.{module}"), name)
        monkeypatch.setattr(f"artiphys.{target}", lambda *args, **kwargs: change(original, *args, **kwargs))

    return apply


def narrow(f: Any, mean: Any, stderr: Any, df: Any, confidence: float) -> Any:
    return f(mean, stderr, df, 0.68)


def halved(f: Any, *args: Any, **kwargs: Any) -> Any:
    return 0.5 * f(*args, **kwargs)


def intervals_over_trials_of_68(monkeypatch: pytest.MonkeyPatch) -> None:
    interval = TrialMeans.interval
    monkeypatch.setattr(TrialMeans, "interval", lambda self, alpha: interval(self, 0.32))


def errors_over_trials(factor: Callable[[int], float]) -> Apply:
    """Standard errors over trials times a factor of the number of trials."""

    def change(f: Any, *args: Any, **kwargs: Any) -> Any:
        means = f(*args, **kwargs)
        return replace(means, stderr=factor(means.n_trials) * means.stderr)

    return changed("lesions.contributions.two_errors.trial_means", change)


def unshuffled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Permutations, "draw", lambda self, n, seed: iter([self.labels] * n))


def narrow_hits(f: Any, rate: Any, n_effective: Any, confidence: float) -> Any:
    """Intervals of proportions that hold 68 % for 95 %."""
    return f(rate, n_effective, 0.68)


def trials_not_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels of single trials are exchanged, as if there were no groups."""
    draw = Permutations.draw

    def _of_trials(plan: Permutations) -> Permutations:
        n = len(plan.labels)
        return replace(plan, unit=np.arange(n), container=np.zeros(n, dtype=int), n_distinct=math.inf)

    monkeypatch.setattr(Permutations, "draw", lambda self, n, seed: draw(_of_trials(self), n, seed))


def of_result(name: str, **changes: Callable[[Any], Any]) -> Apply:
    """A field of what `game_claims`' function gives is changed."""

    def change(f: Any, *args: Any, **kwargs: Any) -> Any:
        result = f(*args, **kwargs)
        return replace(result, **{field: fn(getattr(result, field)) for field, fn in changes.items()})

    return changed(f"verification.calibration.game_claims.{name}", change)


SABOTAGES: dict[str, tuple[Apply, str, int]] = {
    "labels are not shuffled: tuning": (unshuffled, "tuning_curves: power", 400),
    "labels are not shuffled: detection": (unshuffled, "detectability: power", 400),
    "trials are exchanged, not sessions: tuning": (trials_not_groups, "tuning_curves: false positives, 12 s", 400),
    "trials are exchanged, not sessions: decoding": (trials_not_groups, "decode: false positives, 12 s", 100),
    "p is halved: decoding": (changed("probes.decoding.result_from_scores.p_value", halved), "decode: false", 1500),
    "p is halved: tuning": (changed("probes.data.pooled_null.pooled_p_value", halved), "tuning_curves: false", 1500),
    "p is halved: detection": (changed("probes.data.pooled_null.pooled_p_value", halved), "detectability: false", 1500),
    "places are not counted": (
        changed("probes.searchlights.searchlight.max_statistic_p_value",
                lambda f, observed, null: (np.sum(null >= observed, axis=0) + 1) / (len(null) + 1)),
        "searchlight: false", 60,
    ),
    "intervals are of 68 %: tuning": (changed("probes.tuning.result.t_interval", narrow), "tuning_curves: cov", 400),
    "intervals are of 68 %: decoding": (
        changed("probes.decoding.result.hit_interval", narrow_hits), "decode: cov", 400,
    ),
    "intervals are of 68 %: information": (
        changed("probes.mutual_information.tables._jackknife_moments", lambda f, n: (0.5 * f(n)[0], f(n)[1])),
        "information: cov", 400,
    ),
    "skewness has the other sign": (
        changed("probes.mutual_information.tables._jackknife_moments", lambda f, n: (f(n)[0], -f(n)[1])),
        "information: cov", 4000,
    ),
    "information is not corrected": (
        changed("probes.mutual_information.tables._bias", lambda f, n, *rest: 0 * f(n, *rest)), "information: cov", 400,
    ),
    "intervals are of 68 %: lesions": (intervals_over_trials_of_68, "single_lesions: coverage", 150),
    "errors over trials are halved": (errors_over_trials(lambda n: 0.5), "single_lesions: false", 200),
    "errors are those of single trials": (errors_over_trials(math.sqrt), "single_lesions: power", 60),
    "errors over coalitions are halved": (of_result("shapley", stderr=lambda s: 0.5 * s), "shapley: coverage", 200),
    "Banzhaf values are Shapley's": (
        changed("verification.calibration.game_claims.banzhaf", lambda f, *a, **k: ap.shapley(*a, **k)),
        "banzhaf: coverage", 100,
    ),
    "players come in another order": (
        of_result("shapley", values=lambda v: v.copy(data=np.roll(v, 1))), "shapley: coverage", 100,
    ),
    "interactions have the wrong sign": (of_result("interactions", values=lambda v: -v), "interactions: coverage", 60),
    "circuits of nothing are given": (
        lambda monkeypatch: monkeypatch.setattr(Halves, "require_gaps", lambda self, criterion: None),
        "minimal_circuit: false", 150,
    ),
}  # fmt: skip


def claim_of(start: str) -> Claim:
    return next(c for c in claims() if c.name.startswith(start))


@pytest.mark.many_runs
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", SABOTAGES)
def test_a_sabotage_breaks_a_rate(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    apply, start, runs = SABOTAGES[name]
    assert measure(claim_of(start), runs).verdict != "broken"
    apply(monkeypatch)
    assert measure(claim_of(start), runs).verdict == "broken", "survived"


@pytest.mark.many_runs
@pytest.mark.slow
def test_every_claim_holds() -> None:
    found = ap.calibrate([n for n in dict.fromkeys(c.analysis for c in claims()) if n != "cell_types"], runs=200,
                         seed=5, progress=False)  # fmt: skip
    assert found.passed, found.in_words()
    assert "nothing found beyond the stated rate by 12 of 12 tests" in found.in_words()


def test_counts_and_verdicts() -> None:
    def coin(p: float) -> Claim:
        return Claim("coin", "false positives", f"{p}", 0.05, lambda rng: rng.random(7) < p)

    rate = measure(coin(0.05), 700)
    assert rate.runs == 700 and rate.verdict == "holds" and rate.rate == pytest.approx(0.05, abs=0.03)
    assert measure(coin(0.2), 700).verdict == "broken" and measure(coin(0.0), 700).verdict == "conservative"
    assert measure(coin(0.05), 10).runs == 10, "of the last data sets only as many as are asked for"
    assert Rate("a", "coverage", "d", 0.95, 100, 100, 0.0).verdict == "holds"
    assert Rate("a", "coverage", "d", 0.95, 1000, 1000, 0.0).verdict == "conservative"
    assert Rate("a", "coverage", "d", 0.95, 900, 1000, 0.0).verdict == "broken"
    assert Rate("a", "power", "d", 0.7, 1000, 1000, 0.0).verdict == "broken"
    low, high = Rate("a", "power", "d", 0.5, 5, 10, 0.0).interval()
    assert (low, high) == pytest.approx((0.187, 0.813), abs=1e-3)  # Clopper & Pearson


def test_intervals_are_held_against_the_mean_of_estimates() -> None:
    def run(rng: np.random.Generator) -> Any:
        x = rng.normal(size=5)
        return np.column_stack([x - 1.96, x + 1.96, x])

    assert measure(Claim("mean", "coverage", "", 0.95, run), 2000).rate == pytest.approx(0.95, abs=0.02)


def test_data_sets_are_drawn_anew_and_again_the_same() -> None:
    claim = claim_of("tuning_curves: power")
    first, again, other = measure(claim, 60, 0), measure(claim, 60, 0), measure(claim, 60, 1)
    assert first.hits == again.hits
    seen = {measure(claim, 20, seed).hits for seed in range(6)}
    assert len(seen) > 1 and other.runs == 60


def test_powers_are_those_of_t_tests() -> None:
    from scipy.stats import ttest_1samp, ttest_ind

    rng = np.random.default_rng(0)
    two = ttest_ind(rng.normal(0.5, 1, size=(50, 4000)), rng.normal(size=(50, 4000))).pvalue
    assert probe_claims.power_of_t(0.5, 50) == pytest.approx(np.mean(two < 0.05), abs=0.025)
    one = ttest_1samp(rng.normal(0.5, 1, size=(32, 4000)), 0).pvalue
    assert game_claims.power_of_one_sample_t(0.5, 32) == pytest.approx(np.mean(one < 0.05), abs=0.025)


def test_requests_and_command_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="runs came as 3"):
        ap.calibrate(runs=3)
    with pytest.raises(InputError, match="decode"):
        ap.calibrate("decoed", progress=False)
    with pytest.raises(InputError, match="came empty"):
        ap.calibrate([], progress=False)
    files = ["--json", str(tmp_path / "c.json"), "--picture", str(tmp_path / "c.png")]
    done = CliRunner().invoke(app, ["calibrate", "information", "--runs", "60", *files])
    assert done.exit_code == 0 and "1 of 1 stated rates hold" in done.output, done.output
    assert (tmp_path / "c.json").exists() and (tmp_path / "c.png").stat().st_size > 5000
    assert CliRunner().invoke(app, ["calibrate", "informatoin"]).exit_code == 2
    odd = CliRunner().invoke(app, ["calibrate", "information", "--runs", "60", "--picture", str(tmp_path / "c.xyz")])
    assert odd.exit_code == 2 and "c.xyz" in odd.output


def test_a_claim_without_outcomes_is_an_error() -> None:
    nothing = Claim("none", "power", "", 0.5, lambda rng: np.zeros(0, dtype=bool))
    with pytest.raises(InputError, match="gave no outcome"):
        measure(nothing, 20)
