"""What artiphys' own analyses say of networks that run in time: kernels, decision times, learning, memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.optimize import curve_fit

from artiphys.array_types import Array
from artiphys.lesions import Edge, Lesion, lesioned
from artiphys.probes import Tuning, decode, detectability, tuning_curves
from artiphys.recording import record
from artiphys.scores import output
from artiphys.toys.toy import Toy, Truth
from artiphys.verification.methods import BATCH_SIZE, Case, Method

NEXT_TO_NO_PENALTY = 1e-3  # beside thousands of trials of unit variance
RATE_OF_NONE = 1e-5  # of a unit that is silent, but for single precision


def _kernel(case: Case) -> Mapping[str, float]:
    return {f"step {t}": float(w) for t, w in enumerate(_weights_on_choice(case))}


def _decay(case: Case) -> Mapping[str, float]:
    """Of the geometric series that fits the kernel best; ratios of its steps would be biased by their errors."""
    kernel = _weights_on_choice(case)
    age = np.arange(len(kernel))[::-1]
    (_, decay), _ = curve_fit(lambda k, gain, decay: gain * decay**k, age, kernel, p0=(kernel[-1], 0.5))
    return {"a step back": float(decay)}


def _weights_on_choice(case: Case) -> Array:
    """Least squares of the choice on the evidence of all steps at once, within a stimulus ``(step,)``."""
    stimuli = case.toy.stimuli
    evidence = record(case.prep, stimuli, "cell.drive.in", batch_size=BATCH_SIZE, progress=False)["cell.drive.in"]
    choice = (case.prep.run(stimuli).outputs >= 0).numpy().astype(int)
    steps = evidence.to_numpy()[:, :, 0]  # not a DataArray: its times would be decoded one by one
    label = stimuli.conditions["label"].to_numpy()
    read = decode(
        steps, choice, "ridge", n_permutations=0, alphas=[NEXT_TO_NO_PENALTY], confounds=label, progress=False
    )
    return np.asarray(read.weights.to_numpy()).ravel() / 2  # the reader codes the choices -1 and 1


def _decision_time(case: Case) -> Mapping[str, float]:
    return {"intact": _mean_time(case)}


def _decision_time_without(case: Case) -> Mapping[str, float]:
    values = {}
    for key in case.truth.expected:
        site, unit = key.rsplit(".", 1)
        with lesioned(case.prep, Lesion(site, [int(unit)], kind="zero")):
            values[key] = _mean_time(case)
    return values


def _mean_time(case: Case) -> float:
    stimuli = case.toy.stimuli
    return float(output(1)(case.prep.run(stimuli).outputs, stimuli).mean())


def _learned(case: Case) -> Mapping[str, float]:
    return {"mean": float(_values(case, -1).curves.sel(stimulus="by chance")[0])}


def _spread_of_learned(case: Case) -> Mapping[str, float]:
    learned = _values(case, -1)
    variance = learned.sem.sel(stimulus="by chance") ** 2 * learned.n.sel(stimulus="by chance")
    return {"variance": float(variance[0])}


def _after_rewards(case: Case) -> Mapping[str, float]:
    steps = [int(n) - 1 for n in case.truth.expected]
    curves = _values(case, steps).curves.sel(stimulus="always")
    return dict(zip(case.truth.expected, curves.to_numpy().ravel().tolist()))


def _after_rewards_without_error(case: Case) -> Mapping[str, float]:
    with lesioned(case.prep, Lesion("cell.error", kind="zero")):
        return _after_rewards(case)


def _after_a_window(case: Case) -> Mapping[str, float]:
    values = {}
    for site in case.truth.expected:
        with lesioned(case.prep, Lesion(site, kind="zero", time=range(10, 15))):
            values[site] = float(_values(case, -1).curves.sel(stimulus="always")[0])
    return values


def _values(case: Case, steps: int | list[int]) -> Tuning:
    """Tuning of the value after some steps to the schedule of rewards."""
    value = record(case.prep, case.toy.stimuli, "cell", batch_size=BATCH_SIZE, progress=False)["cell"]
    return tuning_curves(value.isel(time=steps), "schedule", progress=False)


def _right_by_delay(case: Case) -> Mapping[str, float]:
    toy = case.toy
    right = toy.score(case.prep.run(toy.stimuli).outputs, toy.stimuli).numpy()
    delay = toy.stimuli.conditions["delay"].to_numpy()
    return {when: float(right[delay == when].mean()) for when in case.truth.expected}


def _amplitudes(case: Case) -> Mapping[str, float]:
    """Peak minus trough, the mean of all units."""
    curves = {when: _curves(case, when) for when in case.truth.expected}
    return {when: float(np.ptp(c, axis=1).mean()) for when, c in curves.items()}


def _widths(case: Case) -> Mapping[str, float]:
    """Of the cosine on a baseline that fits each unit's curve where that is not 0; the mean of all units [degrees]."""
    found = {}
    for key in case.truth.expected:
        when, what = key.split(": ")
        curves = _curves(case, when)
        angle = np.arange(curves.shape[1]) * 2 * np.pi / curves.shape[1]
        design = np.column_stack([np.ones_like(angle), np.cos(angle), np.sin(angle)])
        ends = []
        for curve in curves:
            active = curve > RATE_OF_NONE
            (base, *wave), *_ = np.linalg.lstsq(design[active], curve[active])
            height = 0.0 if what == "support" else (base + np.hypot(*wave)) / 2
            ends.append(np.arccos((height - base) / np.hypot(*wave)))
        found[key] = float(2 * np.degrees(np.mean(ends)))
    return found


def _curves(case: Case, delay: str) -> Array:
    """Tuning curves to the cue's angle of the rates at the end ``(unit, angle)``, in trials of one kind of delay."""
    rates = record(case.prep, case.toy.stimuli, "cell", batch_size=BATCH_SIZE, progress=False)["cell"].isel(time=-1)
    rates = rates[rates["delay"].to_numpy() == delay]
    angles = rates["angle"].to_numpy()
    tuning = tuning_curves(rates, "angle", circular=True, period=360.0, bins=len(np.unique(angles)), progress=False)
    return np.asarray(tuning.curves.to_numpy())


def _d_prime_at_the_end(case: Case) -> Mapping[str, float]:
    values = {}
    for key in case.truth.expected:
        site, unit = key.rsplit(".", 1)
        activity = record(case.prep, case.toy.stimuli, site, batch_size=BATCH_SIZE, progress=False)[site]
        last = activity.isel(time=-1, unit=[int(unit)])
        values[key] = float(detectability(last, case.toy.labels, n_permutations=0, progress=False).d_prime[0])
    return values


def _without_recurrence(answer: Callable[[Case], Mapping[str, float]]) -> Callable[[Case], Mapping[str, float]]:
    def cut(case: Case) -> Mapping[str, float]:
        with lesioned(case.prep, Edge("cell.recurrent.in", "cell.recurrent", kind="zero")):
            return answer(case)

    return cut


def _of(*analyses: str) -> Callable[[Toy, Truth], bool]:
    return lambda toy, truth: truth.analysis in analyses


METHODS = (
    Method("decode kernel", _kernel, _of("psychophysical kernel")),
    Method("decode decay", _decay, _of("kernel decay")),
    Method("decision time", _decision_time, _of("decision time")),
    Method("decision time lesioned", _decision_time_without, _of("decision time without a unit")),
    Method("learned value", _learned, _of("learned value")),
    Method("learned variance", _spread_of_learned, _of("variance of the learned value")),
    Method("learning curve", _after_rewards, _of("value after rewards")),
    Method("learning curve lesioned", _after_rewards_without_error, _of("value after rewards without its error")),
    Method("learning in a window", _after_a_window, _of("value after lesion at steps 10-14")),
    Method("memory", _right_by_delay, _of("accuracy by delay")),
    Method("memory cut", _without_recurrence(_right_by_delay), _of("accuracy by delay without recurrence")),
    Method("tuned amplitude", _amplitudes, _of("tuned amplitude by delay")),
    Method("tuned amplitude cut", _without_recurrence(_amplitudes), _of("tuned amplitude by delay without recurrence")),
    Method("tuned width", _widths, _of("tuned width by delay")),
    Method("d' at the end", _d_prime_at_the_end, _of("d_prime at the last step")),
)
