"""Units of plain modules: known by the module's type or by lengths, else refused until they are named."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import artiphys as ap
from artiphys.errors import InputError


class Block(nn.Module):
    """What its type does not tell: a residual block."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.as_tensor(self.inner(x))


class FixedLength(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.places, self.block = nn.Parameter(torch.randn(6, 4)), Block(nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.block(x + self.places)).mean(1)


def test_the_axis_that_stays_when_inputs_get_shorter_holds_the_units() -> None:
    series = ap.wrap(Block(nn.Linear(4, 4)), torch.randn(2, 6, 4)).sites["output"]
    assert (series.axes, series.unit_axis, series.unit_known) == (("time", "unit"), "unit", True)
    image = ap.wrap(nn.Sequential(Block(nn.Conv2d(4, 4, 3, padding=1)), nn.Flatten(), nn.Linear(4 * 30, 2)),
                    torch.randn(2, 4, 5, 6)).sites["0"]  # fmt: skip
    assert (image.axes, image.unit_axis, image.unit_known) == (("channel", "height", "width"), "channel", True)


def test_a_linear_layer_has_its_units_last_whatever_comes_before() -> None:
    sites = ap.wrap(nn.Sequential(nn.Linear(4, 3)), torch.randn(2, 5, 6, 4)).sites
    assert sites["0"].unit_axis == "unit" == sites["input"].unit_axis and sites["0"].n_units == 3


def test_what_nothing_tells_is_refused_until_it_is_named() -> None:
    net, x = FixedLength().eval(), torch.randn(2, 6, 4)
    prep = ap.wrap(net, x)
    assert not prep.sites["block"].unit_known
    with pytest.raises(InputError, match="axis='unit'"):
        prep.players("block")
    with (
        pytest.raises(InputError, match="axis='unit'"),
        ap.lesioned(prep, ap.Lesion("block", units=[1], kind="zero")),
    ):
        prep.run(x)
    assert len(prep.players("block", axis="unit")) == 4
    with ap.lesioned(prep, ap.Lesion("block", units=[1], axis="unit", kind="zero")):
        assert not prep.run(x).outputs[:, 1].any()
