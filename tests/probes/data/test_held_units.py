"""Results answer later questions without keeping a recording alive."""

from __future__ import annotations

import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

import artiphys as ap
from artiphys.errors import InputError

RESULTS: dict[str, Callable[[Any], Any]] = {
    "decode": lambda x: ap.decode(x, "side", n_permutations=0),
    "tuning": lambda x: ap.tuning_curves(x, "side"),
    "detection": lambda x: ap.detectability(x, "side", n_permutations=0),
    "searchlight": lambda x: ap.searchlight(x, "side", n_permutations=0, size=2),
}


def activity() -> xr.DataArray:
    values = np.random.default_rng(0).normal(size=(60, 4)) + np.arange(60)[:, None] % 2
    return xr.DataArray(values, dims=("trial", "unit"), coords={"side": ("trial", np.arange(60) % 2)})


@pytest.mark.parametrize("copied", [0, 2**26])
@pytest.mark.parametrize("analysis", RESULTS)
def test_activity_is_freed_while_a_result_lives(analysis: str, copied: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artiphys.probes.data.held_units.COPIED_BYTES", copied)
    x = activity()
    watched = weakref.ref(x.to_numpy())
    result = RESULTS[analysis](x)
    del x
    gc.collect()
    assert watched() is None and result.to_dataframe() is not None


def questions(result: Any, **options: Any) -> list[Any]:
    if isinstance(result, ap.Tuning):
        return [result.information("shannon", **options).bits.values]
    return [result.population(**options).d_prime_squared, result.at(0.5, **options).hit_rate]


@pytest.mark.parametrize("analysis", ["tuning", "detection"])
def test_what_is_gone_is_said_and_can_be_given_again(analysis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = activity()
    expected = questions(RESULTS[analysis](x))
    monkeypatch.setattr("artiphys.probes.data.held_units.COPIED_BYTES", 0)
    result = RESULTS[analysis](x)
    for a, b in zip(questions(result), expected):
        np.testing.assert_array_equal(a, b)  # while the activity lives, nothing need be given
    assert questions(pickle.loads(pickle.dumps(RESULTS[analysis](x))), activity=x)
    del x
    gc.collect()
    with pytest.raises(InputError, match="Pass it again: activity="):
        questions(result)
    for a, b in zip(questions(result, activity=activity()), expected):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(InputError, match=r"the result is of .*60, 4"):
        questions(result, activity=activity()[:, :3])


def test_small_activity_is_a_copy_of_its_own() -> None:
    x = activity()
    expected, result = questions(RESULTS["detection"](x)), RESULTS["detection"](x)
    x.values[:] = 0  # the user goes on with the array
    for a, b in zip(questions(result), expected):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("analysis", ["tuning", "detection"])
def test_other_activity_of_the_same_shape_is_refused(analysis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = activity().assign_coords(unit=list("abcd"))
    result = RESULTS[analysis](x)
    with pytest.raises(InputError, match="other labels along 'unit'"):
        questions(result, activity=x[:, ::-1])
    for other in (x * 1000, x.drop_vars("unit")[:, ::-1], x.copy(data=np.roll(x.values, 1, axis=0))):
        with pytest.raises(InputError, match="other values"):
            questions(result, activity=other)
    monkeypatch.setattr("artiphys.probes.data.held_units.COPIED_BYTES", 0)
    large = RESULTS[analysis](x)
    x.values[0] = 0  # changed in place while the result only remembers where it lies
    with pytest.raises(InputError, match="other values"):
        questions(large)
