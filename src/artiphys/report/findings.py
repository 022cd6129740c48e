"""Findings in words: what an examination shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from artiphys.lesions import Attribution
from artiphys.lesions.contributions.two_errors import Over
from artiphys.plotting import short
from artiphys.probes import Tuning
from artiphys.report.examine import ALPHA, Examination
from artiphys.stats.p_values import false_discovery

NEGLIGIBLE = 1e-9


def sure(result: Attribution, over: Over) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    """Sign of each player's contribution where its interval excludes 0, else 0; 95 % for all players together.

    Bonferroni's correction: else, the more players a network has, the likelier is a finding where there is nothing.
    """
    low, high = result.interval(1 - ALPHA / len(result.values), over)
    return (low.to_numpy() > NEGLIGIBLE).astype(np.int8) - (high.to_numpy() < -NEGLIGIBLE).astype(np.int8)


def findings(examination: Examination) -> list[str]:
    """Sentences for the top of a report, most important first."""
    single, phi = examination.singles(), examination.values()
    names = [short(p) for p in phi.values["player"].values]
    unit = f" {phi.unit}" if phi.unit else ""
    wide = phi if examination.screening is None else examination.screening
    on = f" on {wide.n_trials} trials" if examination.screening is not None else ""
    said = [
        f"The {phi.score} is {number(wide.intact)}{unit} intact and {number(examination.all_lesioned)} with all "
        f"{examination.n_players} players lesioned ({examination.subject.kind} lesions{on})."
    ]
    if examination.screening is not None:
        said.append(_chosen(examination, names))
    said += _nothing(examination)
    said += _missed(examination, names)
    said += _carriers(examination, names)
    said += _redundancy(examination, names)
    said += _together(examination)
    said += _circuit(examination)
    total = float(phi.values.sum())
    within = "" if abs(phi.gap) < NEGLIGIBLE else f", to within {abs(phi.gap):.0e}"
    said.append(
        f"The {len(names)} Shapley values add up to {number(total)}: intact ({number(phi.intact)}) minus these players "
        f"lesioned ({number(phi.lesioned)}){within}. The single-lesion effects add up to "
        f"{number(float(single.values.sum()))}."
    )
    said += _reading(examination)
    return said


def _chosen(examination: Examination, names: list[str]) -> str:
    assert examination.screening is not None
    screening = examination.screening
    p = np.ones(len(screening.values))  # one trial says nothing of its error
    if not bool(np.isnan(screening.stderr_stimuli).any()):
        p = np.nan_to_num(screening.p_values("stimuli").to_numpy(), nan=1.0)
    n_sure = int((false_discovery(p) < ALPHA).sum())
    return (
        f"All 2^{examination.n_players} coalitions of {examination.n_players} players cannot be run, so players were "
        f"screened by single lesions on {screening.n_trials} trials ({n_sure} of {examination.n_players} differ from 0 "
        f"at a false discovery rate of {ALPHA:.0%}). The {len(names)} of largest effect ({', '.join(names)}) were then "
        f"measured, singly and in all combinations, on {examination.subject.held_out}."
    )


def _nothing(examination: Examination) -> list[str]:
    """That nothing was found, by lesions or by reading, where that is so."""
    pairs = examination.pairs
    lesioned = any(sure(r, examination.over).any() for r in (examination.singles(), examination.values()))
    joint = bool(((pairs["low"] > NEGLIGIBLE) | (pairs["high"] < -NEGLIGIBLE)).any())
    said = []
    if not lesioned and not joint and not _strong(examination) and examination.circuit is None:
        said.append(
            "Nothing found by lesions: no contribution, alone or over all combinations, and no joint effect of two "
            "players can be told from 0, and no circuit was found."
        )
    decoded = false_discovery(np.array([float(d.p_value) for d in examination.decodings if d.p_value is not None]))
    tuned = any(tuned_share(t) for t in examination.tunings if t.p_value is not None)
    if examination.decodings and not (decoded < ALPHA).any() and not tuned:
        said.append(
            f"Nothing found by reading: '{examination.subject.label}' is decoded at no site better than chance, and "
            "no unit is tuned to it."
        )
    return said


def _missed(examination: Examination, names: list[str]) -> list[str]:
    single, phi = sure(examination.singles(), examination.over), sure(examination.values(), examination.over)
    missed = [i for i in range(len(names)) if single[i] == 0 and phi[i] != 0]
    if not missed:
        return []
    s, v = examination.singles().values.to_numpy(), examination.values().values.to_numpy()
    each = ", ".join(f"{names[i]} (alone {number(s[i])}, Shapley {number(v[i])})" for i in missed)
    many = len(missed) > 1
    if examination.subject.exhaustive:
        alone = "each seems useless" if many else "it seems useless"
    else:
        alone = "no effect can be told from 0"
    return [
        f"Single lesions miss {each}: lesioned alone, {alone}, yet over all combinations "
        f"{'each contributes' if many else 'it contributes'}."
    ]


def _carriers(examination: Examination, names: list[str]) -> list[str]:
    single, phi = examination.singles(), examination.values()
    both = sure(single, examination.over) * (sure(single, examination.over) == sure(phi, examination.over))
    s, v = single.values.to_numpy(), phi.values.to_numpy()
    said = []
    for sign, verb in ((1, "help"), (-1, "oppose")):
        who = [int(i) for i in np.argsort(-np.abs(v), kind="stable") if both[i] == sign]
        if who:
            each = ", ".join(f"{names[i]} (alone {number(s[i])}, Shapley {number(v[i])})" for i in who)
            verb_s = verb if len(who) > 1 else verb + "s"
            said.append(f"Singly and in combination, {each} {verb_s} the task.")
    flipped = [i for i in range(len(names)) if sure(single, examination.over)[i] * sure(phi, examination.over)[i] < 0]
    alone = [i for i in range(len(names)) if sure(single, examination.over)[i] and not sure(phi, examination.over)[i]]
    if alone:
        each = ", ".join(f"{names[i]} (alone {number(s[i])}, Shapley {number(v[i])})" for i in alone)
        said.append(
            f"Only when lesioned alone {'do' if len(alone) > 1 else 'does'} {each} have an effect; over all "
            "combinations no contribution can be told from 0, so the effect depends on what else is intact."
        )
    if flipped:
        said.append(
            "Single lesion and Shapley value disagree in sign for " + ", ".join(names[i] for i in flipped) + "."
        )
    return said


def _redundancy(examination: Examination, names: list[str]) -> list[str]:
    pairs = examination.pairs[(examination.pairs["low"] > NEGLIGIBLE) | (examination.pairs["high"] < -NEGLIGIBLE)]
    if pairs.empty:
        return ["No pair of players costs more or less together than the sum of the two alone."]
    said = []
    order = pairs["excess"].abs().sort_values(ascending=False, kind="stable").index
    for row in pairs.loc[order[:3]].itertuples():
        a, b = short(row.first), short(row.second)
        # What the sign means depends on whether each alone helps: an opponent's effect may need its opposite.
        why = (
            "each matters more once the other is gone: they stand in for each other"
            if float(str(row.excess)) > 0
            else "each matters less once the other is gone"
        )
        alone = dict(zip(names, examination.singles().values.to_numpy()))
        if min(alone[a], alone[b]) < -NEGLIGIBLE:
            why = "their effects do not add up, and one of them opposes the task"
        said.append(
            f"Lesioned together, {a} and {b} cost {number(row.joint)}; alone they cost {number(row.singles)} in sum: "
            f"{why}."
        )
    return said


def _together(examination: Examination) -> list[str]:
    """The strongest significant interactions."""
    found, strong = examination.interactions, _strong(examination)
    if found is None:
        return []
    if not strong:
        return ["Over all combinations, no interaction of two players can be told from 0."]
    each = [f"{' and '.join(short(p) for p in pair)} ({number(value)}, {word})" for pair, value, word in strong]
    return [f"Averaged over all combinations ({found.index}), the strongest interactions are {'; '.join(each)}."]


def _strong(examination: Examination) -> list[tuple[Any, float, str]]:
    """Players, value and reading of significant interactions among the three largest."""
    if examination.interactions is None:
        return []
    table = examination.interactions.top(3, examination.over)
    words = ("synergy", "redundancy", "superadditive", "subadditive")
    strong = table[table["reading"].isin(words) & (table["value"].abs() > NEGLIGIBLE)]
    return list(zip(strong.index, strong["value"], strong["reading"]))


def _circuit(examination: Examination) -> list[str]:
    """The smallest faithful circuit and how sure it is; or why there is none."""
    circuit = examination.circuit
    if circuit is None:
        return [f"No circuit is reported: {examination.no_circuit}."] if examination.no_circuit else []
    names = ", ".join(short(p) for p in circuit.players[:12])
    names += f" and {len(circuit.players) - 12} more" if len(circuit.players) > 12 else ""
    article = "The smallest circuit" if circuit.is_the_circuit else "A smallest circuit"
    others = f"; {len(circuit.alternatives)} others of this size do as well" if circuit.alternatives else ""
    said = (
        f"{article} found that keeps the {circuit.score} within {1 - circuit.required:.0%} of its gap, all other of "
        f"the {len(circuit.every_player)} players lesioned: {names} ({circuit.certificate}{others})."
    )
    if circuit.trial_scores is None:
        return [said]
    low, high = circuit.trial_scores.interval(1 - ALPHA, "mean")
    stable = (
        "" if circuit.stability is None else f"; redrawn trials give sets that overlap by {circuit.stability.mean:.2f}"
    )
    return [
        f"{said} On {circuit.n_held_out} held-out trials it keeps {circuit.held_out:.2f} [{low:.2f}, {high:.2f}] of "
        f"the mean and the fidelity per trial is {circuit.held_out_fidelity:.2f} ({circuit.verdict}{stable}). As many "
        f"players chosen by single lesions keep {circuit.baseline.held_out:.2f}, fidelity "
        f"{circuit.baseline.held_out_fidelity:.2f}."
    ]


def _reading(examination: Examination) -> list[str]:
    if not examination.decodings:
        return ["Nothing was decoded or tuned: the trials hold a single label, or fewer than four trials of one."]
    sites = examination.read_sites
    scores = [float(d.score) for d in examination.decodings]
    best = int(np.argmax(scores))
    p = false_discovery(np.array([float(d.p_value) for d in examination.decodings if d.p_value is not None]))
    n_sure = int((p < ALPHA).sum())
    d = examination.decodings[best]
    low, high = (float(end) for end in d.interval())  # where all trials are hits the error over folds would be 0
    tied = sum(s > scores[best] - NEGLIGIBLE for s in scores)
    where = f"best at {sites[best]}" if tied == 1 else f"best at {tied} sites, the first of them {sites[best]}"
    said = [
        f"The label '{examination.subject.label}' can be decoded at {n_sure} of {len(sites)} recorded sites (false "
        f"discovery rate {ALPHA:.0%} over sites), {where}: {d.metric} {scores[best]:.2f} "
        f"[{low:.2f}, {high:.2f}] (chance {d.chance:.2f})."
    ]
    tuned = [
        float(np.mean(false_discovery(t.p_value.to_numpy()) < ALPHA))
        for t in examination.tunings
        if t.p_value is not None
    ]
    said.append(
        f"Tuned units (false discovery rate {ALPHA:.0%} within a site): {tuned[0]:.0%} at {sites[0]}"
        + (f", most at {sites[int(np.argmax(tuned))]} ({max(tuned):.0%})." if len(sites) > 1 else ".")
    )
    return said


def tuned_share(tuning: Tuning) -> float:
    """Share of units tuned at a false discovery rate of 5 % within the site."""
    assert tuning.p_value is not None
    return float(np.mean(false_discovery(tuning.p_value.to_numpy()) < ALPHA))


def quiet_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs whose joint lesion costs no more or less than the sum, as far as one can tell."""
    loud = (pairs["low"] > NEGLIGIBLE) | (pairs["high"] < -NEGLIGIBLE)
    return pairs[~loud]


def ends(low: object, high: object) -> str:
    """An interval as text."""
    if np.isnan(float(str(low))):
        return "not known: all trials but one at most agree"
    return f"{number(low)} to {number(high)}"


def number(value: object) -> str:
    """A number as text, three digits below 1 and two decimals above."""
    x = float(str(value))
    return f"{0.0 if abs(x) < 5e-4 else x:.3g}" if abs(x) < 1 else f"{x:.2f}"
