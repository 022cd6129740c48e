"""Scores: behaviour as one value a trial, computed from a network's outputs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from artiphys.errors import InputError
from artiphys.hooks.tapping import leaves
from artiphys.stimuli import Stimuli

Array = np.ndarray[Any, Any]
PerTrial = Sequence[float] | np.ndarray[Any, Any] | Tensor | str


@dataclass(frozen=True)
class Score:
    """``score(outputs, trials) -> Tensor (trial,)``, or ``(trial, output)`` for several values at once.

    Attributes
    ----------
    fn : callable
    name : str
        What is measured, for axis labels.
    unit : str
        Unit of the values, such as ``"nats"``.
    needs : "all" or "last"
        Which positions of the outputs it wants; with "last" they arrive as ``(trial, ...)``.
    key : str or None
        Name on disk; None for a plain function, which may not use a disk cache.
    outputs : tuple of str
        Names of the values of a vector-valued score (several metrics, a time course, one a class).
    reduce : callable, optional
        Makes it a score over the whole set of trials: ``fn`` then gives what is kept of each trial, and
        ``reduce(kept (coalition, trial) or (coalition, trial, number), trials)`` one value a coalition.
    rowwise : bool
        True if ``fn`` may get the outputs of several copies of the trials one after the other.
    """

    fn: Callable[[Any, Stimuli], Any]
    name: str
    unit: str = ""
    needs: Literal["all", "last"] = "all"
    key: str | None = None
    outputs: tuple[str, ...] = ()
    reduce: Callable[[Array, Stimuli], Array] | None = None
    rowwise: bool = False

    def __call__(self, outputs: Any, trials: Stimuli) -> Tensor:
        """One value (or vector) a trial; `InputError` if the function gave anything else, or NaN or infinity."""
        values = self.raw(outputs, trials, len(trials)).detach().cpu().to(torch.float64)
        bad = ~torch.isfinite(values).reshape(len(trials), -1).all(dim=1)
        if bool(bad.any()):
            raise InputError(f"score {self.name!r} is NaN or infinite on {int(bad.sum())} trials")
        return values

    def raw(self, outputs: Any, trials: Stimuli, n_rows: int) -> Tensor:
        """The values as the function gives them, gradients included, checked for type and shape."""
        given = self.fn(outputs, trials)
        try:
            values = torch.as_tensor(given)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"score {self.name!r} gave a {type(given).__name__}; wanted one number a trial") from error
        if values.is_complex():
            raise InputError(f"score {self.name!r} gave complex numbers; wanted one real number a trial")
        wide = (n_rows, len(self.outputs)) if self.outputs else (n_rows,)
        if tuple(values.shape) != wide and not (self.reduce is not None and values.shape[:1] == (n_rows,)):
            raise InputError(
                f"score {self.name!r} gave values of shape {tuple(values.shape)} for {len(trials)} trials; "
                + (f"wanted {wide[1:]} values a trial" if self.outputs else "wanted one value a trial")
            )
        return values

    def summary(self, kept: Array, trials: Stimuli) -> Array:
        """Values of coalitions ``(n,)`` or ``(n, output)`` from what was kept ``(n, trial[, number])``."""
        return np.asarray(kept.mean(axis=1) if self.reduce is None else self.reduce(kept, trials))

    @classmethod
    def of(cls, score: Score | Callable[[Any, Stimuli], Any]) -> Score:
        """A score as it is, or made from a plain function ``(outputs, trials) -> one value a trial``."""
        if isinstance(score, Score):
            return score
        if not callable(score):
            raise InputError(f"the score came as {type(score).__name__}; wanted a function (outputs, trials) -> values")
        return cls(score, getattr(score, "__name__", "score"))


@dataclass(frozen=True)
class ClosedLoop:
    """A score that runs the network itself: an environment, a generation loop; see `closed_loop`."""

    fn: Callable[[Any], Any]
    name: str
    unit: str = ""
    key: str | None = None
    outputs: tuple[str, ...] = ()
    reduce: None = None

    def summary(self, kept: Array, trials: Any) -> Array:
        """Mean over episodes ``(n, episode) -> (n,)``."""
        return np.asarray(kept.mean(axis=1))


def closed_loop(fn: Callable[[Any], Any], *, name: str = "", unit: str = "", key: str | None = None) -> ClosedLoop:
    """A behaviour that calls the network as often as it likes: ``fn(prep)`` -> a number, or one an episode.

    For ``ap.Game(prep, None, score, players, kind=...)``: players are lesioned while ``fn`` runs. It must
    give the same for the same lesions: seed whatever is random in it.

    Parameters
    ----------
    fn : callable
        Gets the preparation; calls ``prep.run(...)`` or ``prep.model(...)``.
    key : str, optional
        Name on disk, needed for a disk cache.
    """
    if not callable(fn):
        raise InputError(f"closed_loop got a {type(fn).__name__}; wanted a function of the preparation")
    return ClosedLoop(fn, name or getattr(fn, "__name__", "score"), unit, key)


def accuracy(labels: PerTrial, *, threshold: float = 0.5) -> Score:
    """Proportion correct.

    Parameters
    ----------
    labels : array or str
        Class index of each trial (by trial id), or the name of a column of the conditions.
    threshold : float
        With one output a trial, it decides for class 1 at this value and above. With several, the
        largest wins and ties share the credit.
    """

    def fn(outputs: Any, trials: Stimuli) -> Tensor:
        y = _outputs(outputs)
        truth = _values(labels, trials, len(y)).to(y.device)
        if y.ndim == 1 or y.shape[-1] == 1:
            return (y.reshape(len(truth)) >= threshold).double().eq(truth).double()
        _check_classes(y, truth)
        top = (y == y.amax(dim=-1, keepdim=True)).double()
        return (top / top.sum(-1, keepdim=True)).gather(-1, truth.long()[:, None])[:, 0]

    return Score(fn, "accuracy", "proportion correct", "last", _key("accuracy", labels, threshold), rowwise=True)


def log_prob(targets: PerTrial) -> Score:
    """Log-probability of the target class or next token [nats]; outputs are logits."""

    def fn(outputs: Any, trials: Stimuli) -> Tensor:
        y = _outputs(outputs)
        truth = _values(targets, trials, len(y)).to(y.device)
        _check_classes(y, truth)
        y = y.to(torch.promote_types(y.dtype, torch.float32))
        return y.gather(-1, truth[:, None])[:, 0] - y.logsumexp(-1)

    return Score(fn, "log-probability", "nats", "last", _key("log_prob", targets), rowwise=True)


def logit_difference(correct: PerTrial, wrong: PerTrial) -> Score:
    """Logit of the correct minus logit of the wrong class or next token, at the last position [nats]."""

    def fn(outputs: Any, trials: Stimuli) -> Tensor:
        y = _outputs(outputs)
        a, b = (_values(v, trials, len(y)).to(y.device) for v in (correct, wrong))
        for ids in (a, b):
            _check_classes(y, ids)
        return (y.gather(-1, a[:, None]) - y.gather(-1, b[:, None]))[:, 0]

    return Score(fn, "logit difference", "nats", "last", _key("logit_difference", correct, wrong), rowwise=True)


def output(index: int = 0) -> Score:
    """The network's output itself (its ``index``-th entry), in the model's own units."""

    def fn(outputs: Any, trials: Stimuli) -> Tensor:
        y = _outputs(outputs)
        y = y.reshape(len(y), -1)
        if not -y.shape[1] <= index < y.shape[1]:
            raise InputError(f"output {index} was asked for; the network has {y.shape[1]} outputs a trial")
        return y[:, index]

    return Score(fn, "output", "", "last", _key("output", np.array([index])), rowwise=True)


def several(**parts: Score) -> Score:
    """Several scores in one run: ``several(accuracy=..., nats=...)`` gives one value a trial and name.

    >>> both = several(right=accuracy([0, 1]), nats=log_prob([0, 1]))
    >>> both.outputs, tuple(both(torch.eye(2), Stimuli(torch.zeros(2, 1))).shape)
    (('right', 'nats'), (2, 2))
    """
    if not parts or any(not isinstance(p, Score) or p.reduce or p.outputs for p in parts.values()):
        raise InputError("several() takes scores by name, each with one value a trial")
    needs = {p.needs for p in parts.values()}
    if len(needs) > 1:
        raise InputError("these scores want different positions of the outputs; give a Score whose fn does both")
    keys = [p.key for p in parts.values()]

    def fn(outputs: Any, trials: Stimuli) -> Tensor:
        return torch.stack([torch.as_tensor(p.fn(outputs, trials)).double() for p in parts.values()], dim=1)

    key = None if None in keys else _key("several", *[f"{n}={k}" for n, k in zip(parts, keys)])
    name = ", ".join(p.name for p in parts.values())
    return Score(fn, name, "", needs.pop(), key, tuple(parts), rowwise=all(p.rowwise for p in parts.values()))


def auc(labels: PerTrial, index: int = -1) -> Score:
    """Area under the ROC curve of one output between trials labelled 1 and 0, over the set of all trials.

    With two outputs or more, output ``index`` minus the mean of the others decides. Ties count half.

    References
    ----------
    Hanley & McNeil 1982, The meaning and use of the area under a ROC curve.
    """

    def collect(outputs: Any, trials: Stimuli) -> Tensor:
        y = _outputs(outputs)
        y = y.reshape(len(y), -1).double()
        if y.shape[1] == 1:
            return y[:, 0]
        return y[:, index] - (y.sum(1) - y[:, index]) / (y.shape[1] - 1)

    def reduce(kept: Array, trials: Stimuli) -> Array:
        truth = _values(labels, trials, len(trials)).numpy()
        positive = truth == 1
        n1, n0 = int(positive.sum()), int((truth == 0).sum())
        if n1 + n0 != len(truth) or not n1 or not n0:
            raise InputError(f"auc needs labels 0 and 1, both present; there are {np.unique(truth)[:5].tolist()}")
        ranks = stats.rankdata(kept, axis=1)
        return np.asarray((ranks[:, positive].sum(axis=1) - n1 * (n1 + 1) / 2) / (n1 * n0))

    return Score(collect, "AUC", "proportion", "last", _key("auc", labels, index), reduce=reduce, rowwise=True)


def correlation(targets: PerTrial, index: int = 0) -> Score:
    """Pearson correlation of one output with a target, over the set of all trials; 0 where either is constant."""

    def collect(outputs: Any, trials: Stimuli) -> Tensor:
        y = _outputs(outputs)
        return y.reshape(len(y), -1).double()[:, index]

    def reduce(kept: Array, trials: Stimuli) -> Array:
        target = _numbers(targets, trials)
        a = kept - kept.mean(axis=1, keepdims=True)
        b = target - target.mean()
        norm = np.sqrt((a**2).sum(axis=1) * (b**2).sum())
        # Rounding of a constant must not look like a signal.
        flat = norm <= 1e-9 * np.abs(kept).max(axis=1) * math.sqrt(len(target)) * np.sqrt((b**2).sum())
        return np.where(flat, 0.0, (a * b).sum(axis=1) / np.where(flat, 1.0, norm))

    key = _key("correlation", targets, index)
    return Score(collect, "correlation", "", "last", key, reduce=reduce, rowwise=True)


def _outputs(outputs: Any) -> Tensor:
    if isinstance(outputs, Tensor):
        found = outputs
    elif isinstance(outputs, Mapping) and isinstance(outputs.get("logits"), Tensor):
        found = outputs["logits"]
    else:
        tensors = [t for _, t in leaves(outputs)]
        if not tensors or (isinstance(outputs, Mapping) and len(tensors) > 1):
            came = f"the entries {list(outputs)}" if isinstance(outputs, Mapping) else type(outputs).__name__
            raise InputError(f"the network's output is {came}; give a function (outputs, trials) -> values as score")
        found = tensors[0]
    if found.ndim > 2:
        raise InputError(
            f"the network's output has shape {tuple(found.shape)}; this score takes (trial, class). Give a function "
            "(outputs, trials) -> values that chooses the position"
        )
    return found


def _values(given: PerTrial, trials: Stimuli, n_rows: int) -> Tensor:
    """Classes ``(row,)`` of rows that hold all trials once or several times over."""
    if isinstance(given, str):
        values = _classes(_column(given, trials))
    else:
        whole = _classes(given.detach().cpu().numpy() if isinstance(given, Tensor) else np.asarray(given))
        values = whole[_places(whole, trials)]
    return values if n_rows == len(values) else values.repeat(n_rows // len(values))


def _numbers(given: PerTrial, trials: Stimuli) -> Array:
    if isinstance(given, str):
        return _column(given, trials).astype(float)
    whole = np.asarray(given.detach().cpu() if isinstance(given, Tensor) else given, dtype=float)
    return np.asarray(whole[_places(whole, trials)])


def _column(name: str, trials: Stimuli) -> Array:
    if name not in trials.conditions.columns:
        raise InputError(f"the conditions have no column {name!r}; they have {list(trials.conditions.columns)}")
    return np.array(trials.conditions[name])


def _places(values: Any, trials: Stimuli) -> Any:
    if values.ndim != 1 or int(trials.ids.max()) >= len(values):
        raise InputError(
            f"the score was given {tuple(values.shape)} labels, but trial ids go up to {int(trials.ids.max())}; "
            "give one label a trial"
        )
    return trials.ids


def _classes(given: Any) -> Tensor:
    if given.dtype.kind not in "biuf" or (given.dtype.kind == "f" and not (given == np.round(given)).all()):
        raise InputError(f"labels came as {given.dtype} such as {given.ravel()[:1]}; wanted class indices or token ids")
    return torch.as_tensor(given.astype(np.int64))


def _check_classes(y: Tensor, classes: Tensor) -> None:
    if y.ndim != 2:
        raise InputError(f"the network's output has shape {tuple(y.shape)}; wanted (trial, class)")
    if int(classes.min()) < 0 or int(classes.max()) >= y.shape[-1]:
        raise InputError(f"labels run from {int(classes.min())} to {int(classes.max())} for {y.shape[-1]} outputs")


def _key(name: str, *parts: Any) -> str:
    h = hashlib.blake2b(name.encode(), digest_size=12)
    for part in parts:
        values = np.asarray(part.detach().cpu() if isinstance(part, Tensor) else part)
        h.update(values.astype(np.float64).tobytes() if values.dtype.kind in "biuf" else str(part).encode() + b";")
    return f"{name}-{h.hexdigest()}"
