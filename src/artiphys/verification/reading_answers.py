"""What artiphys' own probes say of the activity of a toy, in the keys of its truths; nothing is lesioned here."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.model_selection import LeaveOneGroupOut

from artiphys.array_types import Array
from artiphys.probes import cell_types, decode, detectability, information, searchlight, tuning_curves
from artiphys.recording import record
from artiphys.toys.toy import Toy, Truth
from artiphys.verification.methods import Case, Method

QUIET: dict[str, Any] = {"n_permutations": 0, "progress": False}
SAME: dict[str, Any] = {**QUIET, "exchange": "trials"}  # what is asked is of the very items that a toy shows
SEPARABLE = 0.95  # cross-validated accuracy; the best of a dichotomy that no plane separates is .75
N_REPEATS = 25  # of the trials of a toy that shows each input once, so that every fold holds all of them
FEW_TYPES: dict[str, Any] = {"max_types": 2, "n_null": 40, "progress": False}
N_INDICES = 400
N_PER_PATTERN = 2


def _activity(case: Case, site: str | None = None) -> xr.DataArray:
    site = case.toy.players[0] if site is None else site
    return record(case.prep, case.toy.stimuli, [site], progress=False)[site]


def _unit(case: Case, key: str) -> xr.DataArray:
    site, unit = key.rsplit(".", 1)
    return _activity(case, site).isel(unit=[int(unit)])


def _together(case: Case, key: str) -> Array:
    """Activity ``(trial, unit)`` of units joined by +."""
    return np.hstack([_unit(case, one).to_numpy() for one in key.split("+")])


def _each(read: Callable[[Case, str], Any]) -> Callable[[Case], Mapping[str, float]]:
    """An answer that reads each key of the truth by itself."""
    return lambda case: {key: float(read(case, key)) for key in case.truth.expected}


def _one_per_unit(read: Callable[[Case], xr.DataArray]) -> Callable[[Case], Mapping[str, float]]:
    """An answer that has a value for every unit of the first site."""

    def answer(case: Case) -> Mapping[str, float]:
        values = read(case).to_numpy()
        return {key: float(values[int(key.rsplit(".", 1)[1])]) for key in case.truth.expected}

    return answer


# Decoding.


def _condition(case: Case, column: str) -> Any:
    return decode(_activity(case), column, **SAME).score


def _label_of_unit(case: Case, key: str) -> Any:
    return decode(_unit(case, key), case.toy.labels, **SAME).score


def _label_of_unit_by_spread(case: Case, key: str) -> Any:
    return decode(_unit(case, key), case.toy.labels, QuadraticDiscriminantAnalysis(), **SAME).score


def _label_at_site(case: Case, site: str) -> Any:
    return decode(_activity(case, site), case.toy.labels, **SAME).score


def _label_at_site_by_spread(case: Case, site: str) -> Any:
    return decode(_activity(case, site), case.toy.labels, QuadraticDiscriminantAnalysis(), **SAME).score


def _given(case: Case, confound: str) -> Any:
    return decode(_activity(case), case.toy.labels, confounds=confound, **QUIET).score


def _sessions_apart(case: Case) -> Mapping[str, float]:
    x, above = _activity(case), []
    for column in (c for c in case.toy.stimuli.conditions.columns if str(c).startswith("label ")):
        found = decode(x, str(column), groups="day", cv=4, n_permutations=20, progress=False)
        assert found.null_mean is not None
        above.append(float(found.score - found.null_mean))
    return {"mean over labellings": float(np.mean(above))}


def _control(case: Case, column: str) -> Any:
    return decode(_activity(case), column, control="pattern", n_controls=10, alphas=[1.0], **QUIET).selectivity()


def _patterns_apart(case: Case, column: str) -> Any:
    """One pattern left out at a time, of a few trials of each."""
    pattern = case.toy.stimuli.conditions["pattern"].to_numpy()
    few = np.concatenate([np.flatnonzero(pattern == p)[:N_PER_PATTERN] for p in np.unique(pattern)])
    x = _activity(case).isel(trial=few)
    return decode(x, column, groups="pattern", cv=LeaveOneGroupOut(), alphas=[1.0], **QUIET).score


def _across_time(case: Case) -> Mapping[str, float]:
    score = decode(_activity(case), case.toy.labels, across="time", **SAME).score.to_numpy()
    return {f"{i}→{j}": float(score[i, j]) for i in range(len(score)) for j in range(len(score))}


def _across_contexts(case: Case) -> Mapping[str, float]:
    values: dict[str, float] = {}
    for site in case.toy.players:
        score = decode(_activity(case, site), "label", across="context", **SAME).score.to_numpy()
        values |= {f"{site} {i}→{j}": float(score[i, j]) for i in range(len(score)) for j in range(len(score))}
    return values


def _cortex(case: Case, site: str) -> Any:
    confounds = case.truth.analysis.partition(" given ")[2] or None
    return decode(_activity(case, site), "cortex", confounds=confounds, **QUIET).score


def _weights(case: Case) -> xr.DataArray:
    weights = decode(_activity(case), case.toy.labels, "lda", **SAME).weights
    return weights / abs(weights[0])


def _patterns(case: Case) -> xr.DataArray:
    patterns = decode(_activity(case), case.toy.labels, "lda", **SAME).patterns
    return patterns / abs(patterns[0])


def _dichotomies(case: Case, key: str) -> tuple[Array, list[Array]]:
    """State of each trial, and which labellings of the states in two classes a linear reader separates."""
    x, conditions = _together(case, key), case.toy.stimuli.conditions
    if "condition" in conditions.columns:
        state = conditions["condition"].to_numpy()
    else:
        x = np.tile(x, (N_REPEATS, 1))
        state = np.unique(x, axis=0, return_inverse=True)[1].ravel()
    n_states = int(state.max()) + 1
    splits = [split >> np.arange(n_states) & 1 for split in range(1, 2**n_states - 1)]
    return state, [s for s in splits if float(decode(x, s[state], **SAME).score) > SEPARABLE]


def _n_separable(case: Case, key: str) -> float:
    return len(_dichotomies(case, key)[1])


def _best_plane(case: Case, key: str) -> float:
    state, separable = _dichotomies(case, key)
    label = np.resize(case.toy.labels, len(state))
    return max(float(np.mean(s[state] == label)) for s in separable)


# Searchlights, detection and information.


def _windows(case: Case) -> Mapping[str, float]:
    return _places(searchlight(_activity(case), case.toy.labels, size=3, **QUIET).score)


def _correlated(case: Case) -> Mapping[str, float]:
    return _places(searchlight(_activity(case), case.toy.labels, "correlation", size=2, **QUIET).score)


def _places(score: xr.DataArray) -> Mapping[str, float]:
    return dict(zip(map(str, score["neighbourhood"].to_numpy()), score.to_numpy().tolist()))


def _choice(case: Case) -> Array:
    return np.asarray(case.prep.run(case.toy.stimuli).outputs >= 0).astype(int)


def _choice_probability(case: Case, key: str) -> Any:
    found = detectability(_unit(case, key), _choice(case), within=case.toy.labels, n_permutations=0, progress=False)
    return found.auc[0]


def _pooled_choice(case: Case, key: str) -> Any:
    return detectability(_unit(case, key), _choice(case), n_permutations=0, progress=False).auc[0]


def _fisher(case: Case, site: str) -> float:
    found = detectability(_activity(case, site), case.toy.labels, n_permutations=0, progress=False)
    return found.population().fisher(float(case.toy.stimuli.conditions["step"].iloc[0]))


def _joint_information(case: Case, key: str) -> Any:
    """Of all inputs there are: without a correction for few trials."""
    _, state = np.unique(_together(case, key), axis=0, return_inverse=True)
    _, label = np.unique(case.toy.labels, return_inverse=True)
    counts = np.zeros((state.max() + 1, label.max() + 1))
    np.add.at(counts, (state.ravel(), label), 1)
    return information(counts, "plugin").bits


def _transmitted(case: Case, site: str) -> Any:
    """Between the symbol sent and the unit that is most active."""
    sent, received = case.toy.stimuli.conditions["symbol"].to_numpy(), _activity(case, site).argmax("unit").to_numpy()
    counts = np.zeros((sent.max() + 1, received.max() + 1))
    np.add.at(counts, (sent, received), 1)
    return information(counts).bits


def _sparseness(case: Case) -> xr.DataArray:
    return tuning_curves(_activity(case), "stimulus", progress=False).lifetime_sparseness()


def _skaggs(case: Case) -> xr.DataArray:
    return tuning_curves(_activity(case), "stimulus", progress=False).information("skaggs").bits


# Types of units.


def _types(case: Case) -> Mapping[str, float]:
    found = cell_types(_activity(case).to_numpy().T, **FEW_TYPES)
    shares = {"smaller type": np.bincount(found.labels).min() / len(found.labels)}
    for first, name in enumerate(("even", "odd")):
        own = np.bincount(found.labels[first::2], minlength=2)
        shares[f"{name} units in one type"] = own.max() / own.sum()
    return {"types": float(found.n_types), **shares}


def _indices(case: Case) -> Mapping[str, float]:
    a, b = tuning_curves(_activity(case), "stimulus", progress=False).curves.to_numpy().T
    index = ((a - b) / np.maximum(a + b, 1))[a + b > 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the index piles up is what is asked for, and in the truth
        types = cell_types(index[:N_INDICES, None], **FEW_TYPES).n_types
    return {"share at +-1": float(np.mean(np.abs(index) == 1)), "types": float(types)}


def _of(*analyses: str) -> Callable[[Toy, Truth], bool]:
    return lambda toy, truth: truth.analysis in analyses


METHODS: tuple[Method, ...] = (
    Method("decode", _each(_condition), _of("decoding")),
    Method("decode a unit", _each(_label_of_unit), _of("decoding of a unit")),
    Method("decode a unit, quadratic", _each(_label_of_unit_by_spread), _of("quadratic decoding of a unit")),
    Method("decode a site", _each(_label_at_site), _of("decoding of a site")),
    Method("decode a site, quadratic", _each(_label_at_site_by_spread), _of("quadratic decoding of a site")),
    Method("decode confounds=", _each(_given), _of("decoding given a confound")),
    Method("decode groups=", _sessions_apart, _of("decoding above its null, days kept together")),
    Method("decode control=", _each(_control), _of("control-task selectivity")),
    Method("decode new patterns", _each(_patterns_apart), _of("decoding of patterns left out")),
    Method("decode across=", _across_time, _of("decoding across time")),
    Method("decode across contexts", _across_contexts, _of("decoding across contexts")),
    Method("decode numbers", _each(_cortex), lambda toy, truth: truth.analysis.startswith("prediction")),
    Method("decode dichotomies", _each(_n_separable), _of("separable dichotomies")),
    Method("decode labellings", _each(_best_plane), _of("best linear accuracy")),
    Method("decode weights", _one_per_unit(_weights), _of("readout weights")),
    Method("decode patterns", _one_per_unit(_patterns), _of("readout patterns")),
    Method("searchlight windows", _windows, _of("searchlight of windows of 3")),
    Method("searchlight correlation", _correlated, _of("searchlight of correlated pairs")),
    Method("detectability within=", _each(_choice_probability), _of("choice probability")),
    Method("detectability of choices", _each(_pooled_choice), _of("choice AUC, stimuli pooled")),
    Method("detectability population", _each(_fisher), _of("Fisher information")),
    Method("information of a table", _each(_joint_information), _of("joint information")),
    Method("information of a channel", _each(_transmitted),
           _of("transmitted information", "transmitted information of noise")),
    Method("tuning sparseness", _one_per_unit(_sparseness),
           _of("lifetime sparseness", "lifetime sparseness of noise")),
    Method("tuning information", _one_per_unit(_skaggs), _of("Skaggs information", "Skaggs information of noise")),
    Method("cell_types", _types, _of("cell types")),
    Method("cell_types of indices", _indices, _of("contrast indices")),
)  # fmt: skip
