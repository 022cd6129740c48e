"""Weighted maps: modules whose output is linear in their input, and what a part of their weights carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

CONVOLUTIONS = {nn.Conv1d: nn.functional.conv1d, nn.Conv2d: nn.functional.conv2d, nn.Conv3d: nn.functional.conv3d}


class GateMap(nn.Module):
    """Weights of one layer of a recurrent module, from its input or from its last state to its gates.

    Parameters
    ----------
    owner : RNN, GRU or LSTM
        Whose weights they are; they stay its own.
    part : "ih" or "hh"
    name : str
        Layer and direction, such as ``"l0"`` or ``"l1_reverse"``.
    """

    step: tuple[int, int] | None = None  # this step, and number of steps

    def __init__(self, owner: nn.RNNBase, part: str, name: str) -> None:
        super().__init__()
        self.__dict__["owner"] = owner  # not as a submodule: its parameters are the network's
        self.has_bias = bool(owner.bias)
        self.part, self.name = part, name

    @property
    def weight(self) -> Tensor:
        """``(gate * unit, input)``."""
        found: Tensor = getattr(self.owner, f"weight_{self.part}_{self.name}")
        return found

    def forward(self, x: Tensor) -> Tensor:
        """What it adds to the gates, ``(trial, gate * unit)``."""
        bias = getattr(self.owner, f"bias_{self.part}_{self.name}") if self.has_bias else None
        return nn.functional.linear(x, self.weight, bias)


@dataclass(frozen=True)
class WeightedMap:
    """A linear layer or a convolution, whose weights connect entries of its input with entries of its output.

    Attributes
    ----------
    module : Module
    """

    module: Any

    @classmethod
    def of(cls, module: nn.Module) -> WeightedMap | None:
        """The map of a module; None for one that is not known to be linear."""
        if isinstance(module, GateMap):
            return cls(module)
        own: Any = type(module)
        kinds: tuple[Any, ...] = (nn.Linear, *CONVOLUTIONS)
        for kind in kinds:
            # A subclass with a forward of its own may compute something else.
            if isinstance(module, kind) and own.forward is kind.forward and "forward" not in module.__dict__:
                return cls(module)
        is_transposed = own.__name__ == "Conv1D" and own.__module__ == "transformers.pytorch_utils"
        return cls(module) if is_transposed else None

    @property
    def is_convolution(self) -> bool:
        """Whether entries are channels."""
        return isinstance(self.module, tuple(CONVOLUTIONS))

    @property
    def weight(self) -> Tensor:
        """``(output, input)``; of a convolution ``(output, input of one group, *kernel)``."""
        weight: Tensor = self.module.weight
        return weight.T if type(self.module).__name__ == "Conv1D" else weight

    @property
    def n_inputs(self) -> int:
        """Entries of the input."""
        return int(self.module.in_channels if self.is_convolution else self.weight.shape[1])

    @property
    def n_outputs(self) -> int:
        """Entries of the output."""
        return int(self.weight.shape[0])

    def carried(self, x: Tensor, share: Tensor, outputs: Tensor, inputs: Tensor) -> Tensor:
        """What some entries of the input give to some entries of the output, without bias.

        Parameters
        ----------
        x : ``(row, ..., entry)``, of a convolution ``(row, entry, ...)``
            The ``inputs`` alone; rows of one group after those of another, as many of each. A convolution in groups
            takes all of its input.
        share : ``(group, output, input)``
            The part of each weight that is taken in each group.
        outputs, inputs
            Which entries the axes of ``share`` are.

        Returns
        -------
        Tensor
            As the module's output, with ``outputs`` as its entries.
        """
        if self.is_convolution:
            return self._convolved(x, share, outputs, inputs)
        weight = self.weight[outputs[:, None], inputs[None]] * share.to(self.weight.dtype)
        if len(weight) == 1:
            return nn.functional.linear(x, weight[0])
        rows = x.reshape(len(weight), -1, len(inputs))
        return (rows @ weight.transpose(1, 2)).reshape(*x.shape[:-1], len(outputs))

    def _convolved(self, x: Tensor, share: Tensor, outputs: Tensor, inputs: Tensor) -> Tensor:
        m, n_groups = self.module, len(share)
        if m.groups == 1:
            weight = m.weight[outputs[:, None], inputs[None]]
        else:  # each group of channels must keep as many outputs, and sees its own inputs alone
            whole = share.new_zeros(n_groups, m.out_channels, m.in_channels)
            share = whole.index_copy(1, outputs, share)
            each = m.in_channels // m.groups
            first = torch.arange(m.out_channels, device=x.device) // (m.out_channels // m.groups) * each
            own = first[:, None] + torch.arange(each, device=x.device)
            share, weight = share.gather(2, own[None].expand(n_groups, -1, -1)), m.weight
        weight = weight * share.reshape(*share.shape, *[1] * len(m.kernel_size)).to(m.weight.dtype)
        rows = len(x) // n_groups
        # Groups of rows side by side as groups of channels: (row, group * channel, ...).
        side = x.reshape(n_groups, rows, *x.shape[1:]).transpose(0, 1).flatten(1, 2)
        padding: Any = m.padding
        if m.padding_mode != "zeros":
            side, padding = nn.functional.pad(side, _pads(m), mode=m.padding_mode), 0
        convolve: Any = next(fn for kind, fn in CONVOLUTIONS.items() if isinstance(m, kind))
        y: Tensor = convolve(side, weight.flatten(0, 1), None, m.stride, padding, m.dilation, n_groups * m.groups)
        y = y.reshape(rows, n_groups, -1, *y.shape[2:]).transpose(0, 1).flatten(0, 1)
        return y if m.groups == 1 else y.index_select(1, outputs)


def _pads(module: Any) -> list[int]:
    """Padding of each spatial axis, the last first, as `torch.nn.functional.pad` wants it."""
    pads: list[int] = []
    for axis in reversed(range(len(module.kernel_size))):
        if module.padding == "same":
            total = module.dilation[axis] * (module.kernel_size[axis] - 1)
            pads += [total // 2, total - total // 2]
        elif module.padding == "valid":
            pads += [0, 0]
        else:
            pads += [module.padding[axis]] * 2
    return pads
