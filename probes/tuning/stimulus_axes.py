"""Axes of a curve or map: one or two stimuli as they were given, with the options of each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from artiphys.border import check
from artiphys.errors import InputError
from artiphys.probes.data.trial_values import per_trial
from artiphys.probes.tuning.levels import Levels
from artiphys.user_warnings import warn


def levels_of(
    stimulus: Any, data: xr.DataArray, circular: Any, period: Any, bins: Any, smoothing: Any
) -> tuple[tuple[Levels, ...], tuple[float, ...]]:
    """Levels of one or two stimuli, and the width in bins over which each is smoothed; see `tuning_curves`."""
    named: dict[str, Any]
    if isinstance(stimulus, Mapping):
        named = {str(k): v for k, v in stimulus.items()}
    elif (
        isinstance(stimulus, (list, tuple))
        and len(stimulus) == 2
        and all(isinstance(s, str) for s in stimulus)
        and (data.sizes["trial"] != 2)
    ):
        named = {str(s): s for s in stimulus}
    else:
        named = {"stimulus": stimulus}
    if len(named) not in (1, 2):
        raise InputError(f"{len(named)} stimuli came ({', '.join(named)}); wanted one or two")
    options = {"circular": circular, "period": period, "bins": bins, "smoothing": smoothing}
    for option, value in options.items():
        strange = set(value) - set(named) if isinstance(value, Mapping) else set()
        if strange:
            raise InputError(f"{option} names {sorted(map(str, strange))}; the stimuli are {list(named)}")
    clash = set(named) & {str(d) for d in data.dims} if len(named) == 2 else set()
    if clash:
        raise InputError(f"a stimulus is named {sorted(clash)[0]!r}, as an axis of the activity; rename it")
    levels, widths = [], []
    for name, value in named.items():
        width = _smoothing(_of(smoothing, name, 0.0))
        each = _bins(_of(bins, name, None))
        keep_empty = len(named) == 2 or width > 0 or (each is not None and not isinstance(each, (int, np.integer)))
        flag, turn = _flag(_of(circular, name, False)), _turn(_of(period, name, 2 * math.pi))
        levels.append(Levels.of(name, per_trial(value, data, name), flag, turn, each, keep_empty))
        if width > 0 and levels[-1].kind == "categorical":
            if isinstance(smoothing, Mapping):
                raise InputError(f"the {name} is categorical: its values have no neighbours to smooth over")
            width = 0.0
        widths.append(width)
    _check_periods(period, levels)
    if smoothing and not isinstance(smoothing, Mapping) and not any(widths):
        raise InputError("smoothing is of numbers; values of a categorical stimulus have no neighbours")
    return tuple(levels), tuple(widths)


def _check_periods(period: Any, levels: list[Levels]) -> None:
    """Warn of a period of a stimulus that is not circular: it would say nothing, and angles be taken for a line."""
    if isinstance(period, Mapping):
        idle = [lv.name for lv in levels if lv.name in period and lv.kind != "circular"]
    else:
        given = not math.isclose(period, 2 * math.pi)
        idle = [lv.name for lv in levels] if given and all(lv.kind != "circular" for lv in levels) else []
    if idle:
        warn(f"a period came for {', '.join(idle)}, which is not circular, so it has no effect; pass circular=True")


def _of(value: Any, name: str, default: Any) -> Any:
    return value.get(name, default) if isinstance(value, Mapping) else value


def _flag(circular: Any) -> bool:
    check("circular", circular, bool)
    return bool(circular)


def _turn(period: Any) -> float:
    check("period", period, float)
    return float(period)


def _bins(bins: Any) -> Any:
    if not isinstance(bins, (int, np.integer, float, str)) and bins is not None:
        return bins
    check("bins", bins, int | None)
    return bins


def _smoothing(width: Any) -> float:
    check("smoothing", width, float)
    if width < 0:
        raise InputError(f"smoothing came as {width!r}; wanted a standard deviation in bins, 0 or more")
    return float(width)
