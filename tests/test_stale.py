"""Values that go stale under a live game, and input that is valid in an unusual form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import artiphys as ap
from artiphys.errors import InputError, LesionError

N = 6


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).eval()


def through_data(x: Any, table: Any, labels: Any) -> None:
    x.data[0] = 5.0


def in_place(x: Any, table: Any, labels: Any) -> None:
    x[0] = 5.0


def of_the_array_behind(x: Any, table: Any, labels: Any) -> None:
    x.numpy()[0] = 5.0


def of_conditions(x: Any, table: Any, labels: Any) -> None:
    table.loc[:, "y"] = 1 - table["y"]


def of_labels(x: Any, table: Any, labels: Any) -> None:
    labels[:] = 1 - labels


@pytest.mark.parametrize("edit", [through_data, in_place, of_the_array_behind, of_conditions, of_labels])
@pytest.mark.parametrize("by_column", [True, False])
def test_edits_under_a_live_game_are_noticed_or_do_not_reach_it(edit: Callable[..., None], by_column: bool) -> None:
    x = torch.randn(N, 3, generator=torch.Generator().manual_seed(1))
    labels = np.arange(N) % 2
    stimuli = ap.Stimuli(x, {"y": labels.copy()})
    score = ap.scores.log_prob("y" if by_column else labels)
    prep = ap.wrap(net(), example=x)
    coalition = np.array([[True, False, True, True]])
    expected = ap.Game(prep, stimuli, score, prep.players("1"), kind="zero", progress=False)(coalition)
    game = ap.Game(prep, stimuli, score, prep.players("1"), kind="zero", progress=False)
    _ = game.intact
    edit(x, stimuli.conditions, labels)
    try:
        found = game(coalition)
    except LesionError as error:
        assert "changed in place" in str(error)
    else:
        np.testing.assert_array_equal(found, expected)


def test_stimuli_do_not_share_memory_with_an_array() -> None:
    array = np.zeros((4, 3), dtype=np.float32)
    stimuli = ap.Stimuli(array)  # type: ignore[arg-type]
    array[:] = 1.0
    assert not bool(stimuli.inputs.any())  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x[::-1].copy()[::-1],
        lambda x: x.astype(">f4"),
        lambda x: np.asfortranarray(x),
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        lambda x: torch.as_tensor(x).T.contiguous().T,
    ],
)
def test_arrays_in_any_layout_are_the_same_stimuli(form: Callable[..., Any]) -> None:
    x = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
    prep = ap.wrap(net(), example=torch.as_tensor(x))
    expected = ap.record(prep, torch.as_tensor(x), "1", progress=False)["1"]
    np.testing.assert_array_equal(ap.record(prep, form(x), "1", progress=False)["1"], expected)
    one = ap.record(prep, form(x)[:1], "1", progress=False)["1"]
    np.testing.assert_allclose(one, expected[:1], rtol=1e-6)


def test_inference_tensors_and_half_precision() -> None:
    with torch.inference_mode():
        x = torch.randn(N, 3)
    prep = ap.wrap(net(), example=torch.zeros(2, 3))
    game = ap.Game(prep, x, lambda outputs, trials: outputs[:, 0], prep.players("1"), kind="zero", progress=False)
    assert np.isfinite(game.intact)
    half = ap.wrap(net().to(torch.bfloat16), example=torch.zeros(2, 3, dtype=torch.bfloat16))
    rec = ap.record(half, x.clone().to(torch.bfloat16), "1", progress=False)
    assert rec["1"].dtype == np.float32 and rec["1"].attrs["dtype"] == "bfloat16"


class Holds(nn.Module):
    def __init__(self, make: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.made, self.make = nn.Identity(), make

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.made(self.make(x))
        return x + made.abs().sum() * 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x: torch.complex(x, x), "complex"),
        (lambda x: (x * 0 + 2**25 + 1).long(), "whole numbers beyond"),
        (lambda x: x.double() * 1e300, "as large as"),
    ],
)
def test_what_float32_does_not_hold_is_refused(make: Callable[[Tensor], Tensor], message: str) -> None:
    x = torch.randn(N, 3)
    prep = ap.wrap(Holds(make).eval(), example=x)
    with pytest.raises(InputError, match=message):
        ap.record(prep, x, "made", progress=False)
    assert prep.run(x, read="made").activity["made"].dtype == make(x).dtype


def test_small_whole_numbers_are_recorded() -> None:
    x = torch.randn(N, 3)
    prep = ap.wrap(Holds(lambda x: (x * 10).long()).eval(), example=x)
    np.testing.assert_array_equal(ap.record(prep, x, "made", progress=False)["made"], (x * 10).long())
