"""Plain modules: their sites, axes and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import artiphys as ap
from artiphys.errors import InputError


def test_time_first_networks_are_told_what_is_wanted() -> None:
    class TimeFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(3, 5)

        def forward(self, x: Tensor) -> Tensor:
            return torch.as_tensor(self.gru(x)[0])

    with pytest.raises(InputError, match="batch_first=False, but trials reach it on axis 0"):
        ap.wrap(TimeFirst(), torch.randn(10, 6, 3)).look()
