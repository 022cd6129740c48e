"""Readings turn red for each way in which a probe, or the use made of it, could be wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import artiphys as ap
from artiphys.verification import reading_answers
from artiphys.verification.result import Score
from artiphys.verification.scoring import scored

Apply = Callable[[pytest.MonkeyPatch], None]


def readings(name: str) -> list[Score]:
    """Every reading of a toy; nothing is lesioned."""
    toy = ap.toys.load(name)
    return [scored(m, toy, t) for t in toy.truth for m in reading_answers.METHODS if m.applies(toy, t)]


def changed(name: str, change: Callable[..., Any]) -> Apply:
    """A function that the answers call, replaced by a function of it and of its arguments."""

    def apply(monkeypatch: pytest.MonkeyPatch) -> None:
        original = getattr(reading_answers, name)
        monkeypatch.setattr(reading_answers, name, lambda *args, **kwargs: change(original, *args, **kwargs))

    return apply


def without(name: str, option: str) -> Apply:
    """One option is overlooked."""

    def change(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        kwargs.pop(option, None)
        return f(*args, **kwargs)

    return changed(name, change)


def rolled(along: str) -> Apply:
    def change(f: Callable[..., Any], prep: Any, stimuli: Any, sites: Any, **kwargs: Any) -> Any:
        recording = f(prep, stimuli, sites, **kwargs)
        return {site: recording[site].roll({along: 1}) for site in sites}

    return changed("record", change)


def of_score(change: Callable[[Any], Any]) -> Apply:
    return changed("decode", lambda f, *a, **k: replace(d := f(*a, **k), score=change(d.score)))


def as_if_stable(f: Callable[..., Any], *args: Any, across: Any = None, **kwargs: Any) -> Any:
    """Decoding at each step, taken for a memory."""
    found = f(*args, across=across, **kwargs)
    if across is None:
        return found
    return replace(found, score=found.score.copy(data=np.tile(np.diag(found.score), (len(found.score), 1))))


class Other:
    """A result of which one thing is another."""

    def __init__(self, result: Any, **others: Any) -> None:
        self._result, self._others = result, others

    def __getattr__(self, name: str) -> Any:
        return self._others[name] if name in self._others else getattr(self._result, name)


def _kept(options: dict[str, Any], *without: str) -> dict[str, Any]:
    """Arguments without some of them, as if trials were independent."""
    return {n: v for n, v in options.items() if n not in without} | {"exchange": "trials"}


SABOTAGES: dict[str, tuple[Apply, list[str]]] = {
    "activity is of the next trial": (
        rolled("trial"),
        ["luminance", "letters_and_phonemes", "mixed_selectivity", "random_expansion", "sparse_code", "rotating_code",
         "far_pair", "poisson_population", "fisher_population", "noisy_channel", "suppressor", "epiphenomenal",
         "erasure_residue", "variance_code", "abstract_code"],
    ),
    "activity is of the next unit": (
        rolled("unit"),
        ["far_pair", "sparse_code", "suppressor", "variance_code", "epiphenomenal"],
    ),
    "scores are of the wrong class": (
        of_score(lambda score: 1 - score), ["luminance", "rotating_code", "random_expansion", "letters_and_phonemes"],
    ),
    "a step is taken for another": (of_score(lambda s: s.roll(time=1) if "time" in s.dims else s), ["rotating_code"]),
    "equal decoding is taken for a memory": (changed("decode", as_if_stable), ["rotating_code"]),
    "decoding within a context is taken for across": (changed("decode", as_if_stable), ["abstract_code"]),
    "confounds stay in": (without("decode", "confounds"), ["luminance", "letters_and_phonemes"]),
    "groups are split": (
        changed("decode", lambda f, *a, **k: f(*a, **_kept(k, "groups"))),
        ["sessions"],
    ),
    "patterns are split": (
        changed("decode", lambda f, *a, **k: f(*a, **_kept(k, "groups", "cv"))),
        ["random_expansion"],
    ),
    "a control is anything": (
        changed("decode", lambda f, *a, **k: Other(f(*a, **k), selectivity=lambda: 0.5) if "control" in k
                else f(*a, **k)), ["random_expansion"],
    ),
    "neighbours are next to each other": (
        changed("searchlight", lambda f, x, y, *a, **k: f(x, y, **k)), ["far_pair"],
    ),
    "windows are of the next unit": (
        changed("searchlight", lambda f, x, y, *a, **k: f(x.roll(unit=-8), y, *a, **k)), ["far_pair"],
    ),
    "choices are pooled": (without("detectability", "within"), ["epiphenomenal"]),
    "the population is not corrected": (
        changed("detectability", lambda f, *a, **k: Other(d := f(*a, **k), population=lambda: replace(
            p := d.population(), d_prime_squared=p.plugin))), ["fisher_population"],
    ),
    "trials are shuffled": (
        changed("detectability", lambda f, *a, **k: Other(
            d := f(*a, **k), population=lambda: d.population(shuffled=True))), ["fisher_population"],
    ),
    "information is not corrected": (changed("information", lambda f, counts, *a: f(counts, "plugin")),
                                     ["noisy_channel"]),
    "information is in nats": (
        changed("information", lambda f, *a: replace(i := f(*a), bits=i.bits * np.log(2))),
        ["noisy_channel", "synergy"],
    ),
    "sparseness is not scaled": (
        changed("tuning_curves", lambda f, *a, **k: Other(
            t := f(*a, **k), lifetime_sparseness=lambda: t.lifetime_sparseness() * (1 - 1 / 128))), ["sparse_code"],
    ),
    "bits a spike are not corrected": (
        changed("tuning_curves", lambda f, *a, **k: Other(
            t := f(*a, **k), information=lambda how: replace(i := t.information(how), bits=i.bits + i.bias))),
        ["sparse_code"],
    ),
    "every clustering is believed": (changed("cell_types", lambda f, *a, **k: f(*a, **k, alpha=0.9999)),
                                     ["continuum"]),
    "no clustering is believed": (changed("cell_types", lambda f, *a, **k: f(*a, **k, alpha=1e-9)), ["clusters"]),
    "weights are taken for patterns": (
        changed("decode", lambda f, *a, **k: Other(d := f(*a, **k), weights=d.patterns, patterns=d.weights)),
        ["suppressor"],
    ),
}  # fmt: skip
CASES = [(name, toy) for name, (_, toys) in SABOTAGES.items() for toy in toys]


@pytest.mark.parametrize(("name", "toy"), CASES, ids=[f"{toy}: {name}" for name, toy in CASES])
def test_a_sabotage_turns_a_reading_red(name: str, toy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    SABOTAGES[name][0](monkeypatch)
    scores = readings(toy)
    wrong = [s for s in scores if not s.passed]
    assert wrong, "survived"
    notes = [s.note for s in wrong]
    assert all(s.got == s.got or "missed" in s.note for s in wrong), f"it should say something else, not fail: {notes}"


def test_every_method_reads_some_toy() -> None:
    toys = [ap.toys.load(name) for name in ap.toys.names()]
    idle = [m.name for m in reading_answers.METHODS
            if not any(m.applies(toy, t) for toy in toys for t in toy.truth)]  # fmt: skip
    assert not idle
