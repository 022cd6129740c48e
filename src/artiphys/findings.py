"""Findings in words: what an examination shows, what it does not, and how it was done."""

from __future__ import annotations

import numpy as np
import pandas as pd

from artiphys.examine import ALPHA, Examination
from artiphys.lesions import Attribution
from artiphys.lesions.attribution import Over
from artiphys.plotting import short
from artiphys.probes import Tuning
from artiphys.stats import false_discovery
from artiphys.subjects import NOISE, REPEATS

TINY = 1e-9


def sure(result: Attribution, over: Over) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    """Sign of each player's contribution where its 95 % interval excludes 0, else 0."""
    low, high = result.interval(1 - ALPHA, over)
    return (low.to_numpy() > TINY).astype(np.int8) - (high.to_numpy() < -TINY).astype(np.int8)


def findings(found: Examination) -> list[str]:
    """Sentences for the top of a report, most important first."""
    single, phi = found.singles(), found.values()
    names = [short(p) for p in phi.values["player"].values]
    unit = f" {phi.unit}" if phi.unit else ""
    wide = phi if found.screening is None else found.screening
    on = f" on {wide.n_trials} trials" if found.screening is not None else ""
    said = [
        f"The {phi.score} is {_n(wide.intact)}{unit} intact and {_n(found.all_lesioned)} with all "
        f"{found.n_players} players lesioned ({found.subject.kind} lesions{on})."
    ]
    if found.screening is not None:
        said.append(_chosen(found, names))
    said += _missed(found, names)
    said += _carriers(found, names)
    said += _redundancy(found, names)
    total = float(phi.values.sum())
    within = "" if abs(phi.gap) < TINY else f", to within {abs(phi.gap):.0e}"
    said.append(
        f"The {len(names)} Shapley values add up to {_n(total)}: intact ({_n(phi.intact)}) minus these players "
        f"lesioned ({_n(phi.lesioned)}){within}. The single-lesion effects add up to "
        f"{_n(float(single.values.sum()))}."
    )
    said += _reading(found)
    return said


def _chosen(found: Examination, names: list[str]) -> str:
    assert found.screening is not None
    screening = found.screening
    p = _p_two_sided(screening)
    n_sure = int((false_discovery(p) < ALPHA).sum())
    return (
        f"All 2^{found.n_players} coalitions of {found.n_players} players cannot be run, so players were screened by "
        f"single lesions on {screening.n_trials} trials ({n_sure} of {found.n_players} differ from 0 at a false "
        f"discovery rate of {ALPHA:.0%}). The {len(names)} of largest effect ({', '.join(names)}) were then measured, "
        f"singly and in all combinations, on {found.singles().n_trials} other trials."
    )


def _missed(found: Examination, names: list[str]) -> list[str]:
    single, phi = sure(found.singles(), found.over), sure(found.values(), found.over)
    missed = [i for i in range(len(names)) if single[i] == 0 and phi[i] != 0]
    if not missed:
        return []
    s, v = found.singles().values.to_numpy(), found.values().values.to_numpy()
    each = ", ".join(f"{names[i]} (alone {_n(s[i])}, Shapley {_n(v[i])})" for i in missed)
    many = len(missed) > 1
    if found.subject.exhaustive:
        alone = "each seems useless" if many else "it seems useless"
    else:
        alone = "no effect can be told from 0"
    return [
        f"Single lesions miss {each}: lesioned alone, {alone}, yet over all combinations "
        f"{'each contributes' if many else 'it contributes'}."
    ]


def _carriers(found: Examination, names: list[str]) -> list[str]:
    single, phi = found.singles(), found.values()
    both = sure(single, found.over) * (sure(single, found.over) == sure(phi, found.over))
    s, v = single.values.to_numpy(), phi.values.to_numpy()
    said = []
    for sign, verb in ((1, "help"), (-1, "oppose")):
        who = [int(i) for i in np.argsort(-np.abs(v), kind="stable") if both[i] == sign]
        if who:
            each = ", ".join(f"{names[i]} (alone {_n(s[i])}, Shapley {_n(v[i])})" for i in who)
            verb_s = verb if len(who) > 1 else verb + "s"
            said.append(f"Singly and in combination, {each} {verb_s} the task.")
    flipped = [i for i in range(len(names)) if sure(single, found.over)[i] * sure(phi, found.over)[i] < 0]
    alone = [i for i in range(len(names)) if sure(single, found.over)[i] and not sure(phi, found.over)[i]]
    if alone:
        each = ", ".join(f"{names[i]} (alone {_n(s[i])}, Shapley {_n(v[i])})" for i in alone)
        said.append(
            f"Lesioned alone {each} {'have an effect' if len(alone) > 1 else 'has an effect'}, but over all "
            "combinations no contribution can be told from 0: the effect depends on what else is intact."
        )
    if flipped:
        said.append(
            "Single lesion and Shapley value disagree in sign for " + ", ".join(names[i] for i in flipped) + "."
        )
    return said


def _redundancy(found: Examination, names: list[str]) -> list[str]:
    pairs = found.pairs[(found.pairs["low"] > TINY) | (found.pairs["high"] < -TINY)]
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
        alone = dict(zip(names, found.singles().values.to_numpy()))
        if min(alone[a], alone[b]) < -TINY:
            why = "their effects do not add up, and one of them opposes the task"
        said.append(
            f"Lesioned together, {a} and {b} cost {_n(row.joint)}; alone they cost {_n(row.singles)} in sum: {why}."
        )
    return said


def _reading(found: Examination) -> list[str]:
    if not found.decodings:
        return ["Nothing was decoded or tuned: the trials hold a single label, or fewer than four trials of one."]
    sites = found.read_sites
    scores = [float(d.score) for d in found.decodings]
    best = int(np.argmax(scores))
    p = false_discovery(np.array([float(d.p_value) for d in found.decodings if d.p_value is not None]))
    n_sure = int((p < ALPHA).sum())
    d = found.decodings[best]
    tied = sum(s > scores[best] - TINY for s in scores)
    where = f"best at {sites[best]}" if tied == 1 else f"best at {tied} sites, the first of them {sites[best]}"
    said = [
        f"The label '{found.subject.label}' can be decoded at {n_sure} of {len(sites)} recorded sites (false discovery "
        f"rate {ALPHA:.0%} over sites), {where}: {d.metric} {scores[best]:.2f} +- {float(d.stderr):.2f} "
        f"(chance {d.chance:.2f})."
    ]
    tuned = [
        float(np.mean(false_discovery(t.p_value.to_numpy()) < ALPHA)) for t in found.tunings if t.p_value is not None
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


def insignificant(found: Examination) -> pd.DataFrame:
    """What was tested and could not be told from 0 or from chance."""
    rows = []
    for result, what in ((found.singles(), "single lesion"), (found.values(), "Shapley value")):
        low, high = result.interval(1 - ALPHA, found.over)
        for i in np.flatnonzero(sure(result, found.over) == 0):
            ends = f"{_n(float(low[i]))} to {_n(float(high[i]))}"
            rows.append(
                _row(f"{what} of {short(result.values['player'].values[i])}", _n(float(result.values[i])), ends)
            )
    if found.decodings:
        rows += _undecoded(found)
    if len(found.pairs):
        quiet = int(((found.pairs["low"] <= TINY) & (found.pairs["high"] >= -TINY)).sum())
        if quiet:
            what = f"{quiet} of {len(found.pairs)} pairs, joint lesion beyond the sum"
            rows.append(_row(what, f"at most {_n(_largest_quiet(found))}", "include 0 (Bonferroni over pairs)"))
    return pd.DataFrame(rows, columns=["tested", "estimate", "95 % interval or p"])


def _undecoded(found: Examination) -> list[dict[str, str]]:
    """One row a site, or one for all where there are many."""
    p = false_discovery(np.array([float(d.p_value) for d in found.decodings if d.p_value is not None]))
    quiet = [int(i) for i in np.flatnonzero(p >= ALPHA)]
    scores = [float(found.decodings[i].score) for i in quiet]
    if len(quiet) > 3:
        where = f"{found.read_sites[quiet[0]]} to {found.read_sites[quiet[-1]]}"
        estimate, least = f"{min(scores):.2f} to {max(scores):.2f}", f"p >= {p[quiet].min():.2g} (adjusted)"
        return [_row(f"decoding at {len(quiet)} of {len(p)} sites, from {where}", estimate, least)]
    return [
        _row(f"decoding at {found.read_sites[i]}", f"{s:.2f}", f"p = {p[i]:.2g} (adjusted)")
        for i, s in zip(quiet, scores)
    ]


def _row(tested: str, estimate: str, interval: str) -> dict[str, str]:
    return {"tested": tested, "estimate": estimate, "95 % interval or p": interval}


def _largest_quiet(found: Examination) -> float:
    quiet = found.pairs[(found.pairs["low"] <= TINY) & (found.pairs["high"] >= -TINY)]
    return float(quiet["excess"].abs().max())


def caveats(found: Examination) -> str:
    """What cannot be concluded."""
    subject = found.subject
    said = [
        f"All effects belong to {subject.kind} lesions; another kind can change their size, order and sign.",
        "That a label can be decoded at a site does not show that the network uses it, and an untuned unit may matter.",
        "Intervals of players are 95 % each, not corrected for their number.",
    ]
    if found.screening is not None:
        said.append(
            f"The {found.n_players - len(found.values().values)} players that were not kept stayed intact in all "
            "combinations: backups among them, and players that matter only jointly, would be missed. Shapley values "
            "here share out what the kept players do, not the whole network."
        )
    if subject.exhaustive:
        said.append("The trials are all the inputs there are, so lesion effects have no sampling error.")
    else:
        said.append(
            f"Results speak of trials like these ({len(subject.estimating)} were used for the final lesions) and of "
            "this one trained network; another training run, or other stimuli, may differ."
        )
    if subject.noise:
        said.append(
            f"For tuning and decoding each input was shown {REPEATS} times with Gaussian measurement noise "
            f"(sd {NOISE}) added to the recorded activity, since the network itself has none; those numbers depend "
            "on it."
        )
    return " ".join(said)


def methods(found: Examination) -> str:
    """A paragraph that can be copied into a paper."""
    single, phi, kind = found.singles(), found.values(), found.subject.kind
    version = f" (artiphys {phi.version})"
    parts = [f"{found.subject.name} was examined with artiphys {phi.version} (seed {found.seed})."]
    if found.decodings:
        where = "at the last valid position of each trial" if found.subject.toy is None else "at the recorded sites"
        parts.append(f"Activity was read at {len(found.read_sites)} sites, {where}.")
        parts += [t.methods_text().replace(version, "") for t in (found.tunings[0], found.decodings[0])]
    what = {"mean": "to their mean over trials", "zero": "to zero", "resample": "to their activity on another trial"}
    unit = f" [{phi.unit}]" if phi.unit else ""
    parts.append(f"Lesions set players {what.get(kind, kind)} ({kind} lesions); the score was {phi.score}{unit}.")
    if found.screening is not None:
        wide = found.screening
        parts.append(
            f"All {found.n_players} players were screened by single lesions on {wide.n_trials} trials "
            f"({wide.n_evaluations} coalitions; score {_n(wide.intact)} intact, {_n(wide.lesioned)} with all lesioned); "
            f"the {len(phi.values)} of largest absolute effect were kept and measured on {phi.n_trials} other trials."
        )
    how = "exactly, from all" if phi.exact else "by antithetic permutation sampling, from"
    parts.append(
        f"{len(phi.values)} players were lesioned singly ({single.n_evaluations} coalitions) and in combination: Shapley "
        f"values were computed {how} {phi.n_evaluations} coalitions on {phi.n_trials} trials (score {_n(phi.intact)} "
        f"intact, {_n(phi.lesioned)} with all of them lesioned)."
    )
    if found.subject.exhaustive:
        parts.append("The trials were all inputs there are, so lesion effects are exact.")
    else:
        parts.append("Intervals are 95 % t intervals over trials" + ("." if phi.exact else " and sampled coalitions."))
    parts.append("Pairs were tested for joint effects beyond the sum of their single ones, Bonferroni-corrected.")
    return " ".join(parts)


def truth_table(found: Examination) -> pd.DataFrame | None:
    """Expected against found, for a toy."""
    toy = found.subject.toy
    if toy is None:
        return None
    rows = []
    for analysis, result in (("single_lesions", found.singles()), ("shapley", found.values())):
        for t in toy.truth:
            if t.analysis == analysis and t.kind == found.subject.kind:
                for player, expected in t.expected.items():
                    got = float(result.values.sel(player=player))
                    rows.append(
                        {
                            "analysis": analysis.replace("_", " "),
                            "player": player,
                            "expected": _n(expected),
                            "found": _n(got),
                            "agrees": "yes" if abs(got - expected) <= t.tolerance else "NO",
                        }
                    )
    return pd.DataFrame(rows) if rows else None


def _p_two_sided(result: Attribution) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    from scipy.stats import t

    error = result.stderr_stimuli.to_numpy()
    values = result.values.to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(error > 0, np.abs(values) / error, np.where(np.abs(values) > TINY, np.inf, 0.0))
    return np.asarray(2 * t.sf(ratio, result.n_trials - 1))


def _n(value: object) -> str:
    number = float(str(value))
    return f"{0.0 if abs(number) < 5e-4 else number:.3g}" if abs(number) < 1 else f"{number:.2f}"
