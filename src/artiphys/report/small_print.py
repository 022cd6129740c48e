"""What a report says at its end: what was not significant, what cannot be concluded, methods, the known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd

from artiphys.plotting import short
from artiphys.report.examine import ALPHA, Examination
from artiphys.report.findings import ends, number, quiet_pairs, sure
from artiphys.report.subjects import N_REPEATS, NOISE_SD
from artiphys.stats.p_values import false_discovery


def insignificant(examination: Examination) -> pd.DataFrame:
    """What was tested and could not be told from 0 or from chance."""
    rows = []
    for result, what in ((examination.singles(), "single lesion"), (examination.values(), "Shapley value")):
        low, high = result.interval(1 - ALPHA, examination.over)
        for i in np.flatnonzero(sure(result, examination.over) == 0):
            said = ends(float(low[i]), float(high[i]))
            rows.append(
                _row(f"{what} of {short(result.values['player'].values[i])}", number(float(result.values[i])), said)
            )
    if examination.decodings:
        rows += _undecoded(examination)
    if len(examination.pairs):
        quiet = len(quiet_pairs(examination.pairs))
        if quiet:
            what = f"{quiet} of {len(examination.pairs)} pairs, joint lesion beyond the sum"
            rows.append(
                _row(what, f"at most {number(_largest_quiet(examination))}", "include 0 (Bonferroni over pairs)")
            )
    return pd.DataFrame(rows, columns=["tested", "estimate", "95 % interval or p"])


def _undecoded(examination: Examination) -> list[dict[str, str]]:
    """One row per site, or one for all where there are many."""
    p = false_discovery(np.array([float(d.p_value) for d in examination.decodings if d.p_value is not None]))
    quiet = [int(i) for i in np.flatnonzero(p >= ALPHA)]
    scores = [float(examination.decodings[i].score) for i in quiet]
    if len(quiet) > 3:
        where = f"{examination.read_sites[quiet[0]]} to {examination.read_sites[quiet[-1]]}"
        estimate, least = f"{min(scores):.2f} to {max(scores):.2f}", f"p >= {p[quiet].min():.2g} (adjusted)"
        return [_row(f"decoding at {len(quiet)} of {len(p)} sites, from {where}", estimate, least)]
    return [
        _row(f"decoding at {examination.read_sites[i]}", f"{s:.2f}", f"p = {p[i]:.2g} (adjusted)")
        for i, s in zip(quiet, scores)
    ]


def _row(tested: str, estimate: str, interval: str) -> dict[str, str]:
    return {"tested": tested, "estimate": estimate, "95 % interval or p": interval}


def _largest_quiet(examination: Examination) -> float:
    return float(quiet_pairs(examination.pairs)["excess"].abs().max())


def caveats(examination: Examination) -> str:
    """What cannot be concluded."""
    subject = examination.subject
    said = [
        f"All effects belong to {subject.kind} lesions; another kind can change their size, order and sign.",
        "That a label can be decoded at a site does not show that the network uses it, and an untuned unit may matter.",
        "Intervals of players are 95 % each as they are shown; what is said of players in words holds for all of them "
        "together (Bonferroni).",
    ]
    if examination.screening is not None:
        said.append(
            f"The {examination.n_players - len(examination.values().values)} players that were not kept stayed intact "
            "in all combinations: backups among them, and players that matter only jointly, would be missed. Shapley "
            "values here share out what the kept players do, not the whole network."
        )
    if subject.exhaustive:
        said.append("The trials are all the inputs there are, so lesion effects have no sampling error.")
    else:
        said.append(
            f"Results speak of trials like these ({examination.values().n_trials} were used for the final lesions) and "
            "of this one trained network; another training run, or other stimuli, may differ."
        )
    if subject.noise:
        said.append(
            f"For tuning and decoding each input was shown {N_REPEATS} times with Gaussian measurement noise "
            f"(sd {NOISE_SD}) added to the recorded activity, since the network itself has none; those numbers depend "
            "on it."
        )
    return " ".join(said)


def methods(examination: Examination) -> str:
    """A paragraph that can be copied into a paper."""
    single, phi, kind = examination.singles(), examination.values(), examination.subject.kind
    version = f" (artiphys {phi.version})"
    parts = [f"{examination.subject.name} was examined with artiphys {phi.version} (seed {examination.seed})."]
    if examination.decodings:
        where = (
            "at the last valid position of each trial" if examination.subject.toy is None else "at the recorded sites"
        )
        parts.append(f"Activity was read at {len(examination.read_sites)} sites, {where}.")
        parts += [t.methods_text().replace(version, "") for t in (examination.tunings[0], examination.decodings[0])]
    what = {"mean": "to their mean over trials", "zero": "to zero", "resample": "to their activity on another trial"}
    unit = f" [{phi.unit}]" if phi.unit else ""
    parts.append(f"Lesions set players {what.get(kind, kind)} ({kind} lesions); the score was {phi.score}{unit}.")
    if examination.screening is not None:
        wide = examination.screening
        parts.append(
            f"All {examination.n_players} players were screened by single lesions on {wide.n_trials} trials "
            f"({wide.n_evaluations} coalitions; score {number(wide.intact)} intact, {number(wide.lesioned)} with all "
            "lesioned); "
            f"the {len(phi.values)} of largest absolute effect were kept and measured on "
            f"{examination.subject.held_out}."
        )
    parts.append(f"{len(phi.values)} players were lesioned singly ({single.n_evaluations} coalitions).")
    parts.append(
        f"{phi.estimation_text()} The score was {number(phi.intact)} intact and {number(phi.lesioned)} with all of "
        f"them lesioned, on {phi.n_trials} trials."
    )
    if examination.subject.exhaustive:
        parts.append("The trials were all inputs there are, so lesion effects are exact.")
    else:
        parts.append("Intervals are 95 % t intervals over trials" + ("." if phi.exact else " and sampled coalitions."))
    parts.append("Pairs were tested for joint effects beyond the sum of their single ones, Bonferroni-corrected.")
    return " ".join(parts)


def truth_table(examination: Examination) -> pd.DataFrame | None:
    """Expected against found, for a toy whose own players were examined, all of them together."""
    toy = examination.subject.toy
    if toy is None:
        return None
    examined = {str(p) for p in examination.values().values["player"].values}
    rows = []
    for analysis, result in (("single_lesions", examination.singles()), ("shapley", examination.values())):
        for t in toy.truth:
            if t.analysis == analysis and t.kind == examination.subject.kind and set(t.expected) == examined:
                for player, expected in t.expected.items():
                    got = float(result.values.sel(player=player))
                    rows.append(
                        {
                            "analysis": analysis.replace("_", " "),
                            "player": player,
                            "expected": number(expected),
                            "found": number(got),
                            "agrees": "yes" if abs(got - expected) <= t.tolerance else "NO",
                        }
                    )
    return pd.DataFrame(rows) if rows else None
