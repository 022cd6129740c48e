"""What a lesion writes, entry by entry, and where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from fixtures.networks import X, normal, small

import artiphys as ap
from artiphys.errors import LesionError
from artiphys.hooks.batch_rows import Rows
from artiphys.hooks.taps import At
from artiphys.lesions.operations.writer import Writer, projected
from artiphys.sites import Site

SITE = Site("layer", ("time", "head", "unit"), (5, 2, 3), "head")
VALUES = normal(4, 5, 2, 3)


def at(n_time: int | None = 5, first: int = 0, site: Site = SITE) -> At:
    rows = Rows(ap.Stimuli(torch.zeros(4, 5), {"when": [0, 1, 2, 3]}))
    n_here = VALUES.shape[1]
    return At(site, ("trial", *site.axes), torch.arange(first, first + n_here), n_time, rows)


def writer(site: Site = SITE, **options: Any) -> Writer:
    return Writer(ap.Lesion(site.name, **options), site)


@pytest.mark.parametrize("axis", ["head", "unit", "time"])
def test_units_are_selected_along_their_axis(axis: str) -> None:
    chosen = writer(kind="zero", units=[0, -1], axis=axis).selection(VALUES, at()).expand_as(VALUES).numpy()
    place = ("trial", *SITE.axes).index(axis)
    expected = np.zeros(VALUES.shape, dtype=bool)
    np.moveaxis(expected, place, 0)[[0, -1]] = True
    assert np.array_equal(chosen, expected)


def test_times_and_units_are_selected_together() -> None:
    new = writer(kind="clamp", value=9.0, units=[1], time=[0, -1])(VALUES, at())
    hit = torch.zeros_like(VALUES, dtype=torch.bool)
    hit[:, [0, 4], 1] = True
    assert torch.equal(new == 9.0, hit) and torch.equal(new[~hit], VALUES[~hit])


def test_a_column_names_one_time_per_trial() -> None:
    new = writer(kind="zero", time="when")(VALUES, at())
    assert [(new[i] == 0).all(dim=(1, 2)).nonzero().flatten().tolist() for i in range(4)] == [[0], [1], [2], [3]]


def test_times_are_absolute_where_only_the_last_are_present() -> None:
    """Tokens 3 to 7 of eight: position 4 is the second that is present."""
    new = writer(kind="zero", time=4)(VALUES, at(n_time=8, first=3))
    assert (new[:, 1] == 0).all() and torch.equal(new[:, [0, 2, 3, 4]], VALUES[:, [0, 2, 3, 4]])


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_infinite_values_are_replaced_and_types_stay(bad: float) -> None:
    x = VALUES.to(torch.bfloat16)
    x[:, :, 0] = bad
    new = writer(kind="zero", units=[0])(x, at())
    assert new.dtype == torch.bfloat16 and (new[:, :, 0] == 0).all() and torch.equal(new[:, :, 1], x[:, :, 1])


def test_projection_removes_a_span_whatever_the_order_and_length_of_directions() -> None:
    directions = normal(3, 3, seed=2).double()
    directions[2] = directions[0] - 2 * directions[1]  # the third lies in the plane of the others
    writers = [writer(kind="project", direction=d) for d in directions]
    new = projected(VALUES, at(), writers)
    assert torch.allclose(new @ directions.T.float(), torch.zeros(()), atol=1e-5)
    again = projected(VALUES, at(), [writer(kind="project", direction=5 * d) for d in directions.flip(0)])
    assert torch.allclose(new, again, atol=1e-5)
    normal_to_both = torch.linalg.cross(directions[0], directions[1]).float()
    assert torch.allclose(new @ normal_to_both, VALUES @ normal_to_both, atol=1e-4)


def test_families_are_lesions_that_differ_in_units_only() -> None:
    one, two = writer(kind="zero", units=[0]), writer(kind="zero", units=[1])
    assert one.family == two.family != writer(kind="zero", units=[0], time=[1]).family
    assert one.family != writer(kind="clamp", value=0.0, units=[0]).family


def test_what_a_writer_cannot_know_is_said() -> None:
    prep = small()
    site = prep.sites["1"]
    pending = ap.Lesion("1", kind="mean", reference=ap.Stimuli(X))
    with pytest.raises(LesionError, match="was not recorded yet"):
        Writer(pending, site)(X, At(site, ("trial", "unit")))
    with pytest.raises(LesionError, match="needs to know the trials"):
        Writer(ap.Lesion("1", kind="noise", sd=1.0), site)(X, At(site, ("trial", "unit")))
    with pytest.raises(LesionError, match="has no time axis"):
        Writer(ap.Lesion("1", kind="zero", time=1), site)(X, At(site, ("trial", "unit")))
    with pytest.raises(LesionError, match="direction has 3 entries; site '1' has 4"):
        Writer(ap.Lesion("1", kind="project", direction=[1.0, 0, 0]), site)(normal(2, 4), At(site, ("trial", "unit")))
