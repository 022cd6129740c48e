"""One dialect of patterns, for sites and for the modules that a loop steps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import artiphys as ap
from artiphys.errors import InputError


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.cell(x))


class Loop(nn.Module):
    """A step three modules deep."""

    def __init__(self) -> None:
        super().__init__()
        self.core = nn.ModuleDict({"step": Inner()})

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(len(x), 2)
        for t in range(x.shape[1]):
            h = self.core["step"](x[:, t] + h)
        return h


@pytest.mark.parametrize(
    "pattern",
    [
        "core.step",
        "core.*",
        "**.step",
        "core.step.**",
        "**",
        "co?e.step",
        "co[qr]e.step",
        "{core,other}.step",
        "{other,co??}.step",
    ],
)
def test_patterns_name_the_stepped_module(pattern: str) -> None:
    prep = ap.wrap(Loop().eval(), torch.randn(3, 4, 2), steps=[pattern])
    assert prep.sites["core.step.cell"].stepped and prep.sites["core.step.cell"].axes == ("time", "unit")


@pytest.mark.parametrize("pattern", ["*.cell", "core.*.*.*", "co?.step", "*step"])
def test_a_star_stops_at_dots(pattern: str) -> None:
    with pytest.raises(InputError, match="steps="):
        ap.wrap(Loop().eval(), torch.randn(3, 4, 2), steps=[pattern]).look()
