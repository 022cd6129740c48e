"""Recurrent modules, unrolled: each step's hidden state can be read and lesioned inside the recurrence.

`torch.nn.RNN`, `GRU` and `LSTM` run all steps in one fused call that no hook can enter. While a state
site is in use, the module's forward is replaced by a loop over `torch`'s own cell functions; every new
state passes through a `StatePoint`, an identity module that carries ordinary hooks. Afterwards the
fused forward is back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from artiphys.adapters.weighted_maps import GateMap
from artiphys.errors import InputError
from artiphys.hooks.changes import ABSENT, Changes, put_back
from artiphys.hooks.taps import Tap
from artiphys.third_party import forward_hooks


class StatePoint(nn.Identity):
    """Where a state passes at each step; ``step`` is (this step, number of steps)."""

    step: tuple[int, int] | None = None


class CellStep(nn.Module):
    """One layer and direction of a recurrent module: called once per step, it gives the new state.

    A module of its own, so that whatever acts on modules (a batch that grows between steps) can act here.
    """

    def __init__(self, update: Callable[..., tuple[Tensor, Tensor | None]]) -> None:
        super().__init__()
        self.update = update

    def forward(self, x: Tensor, h: Tensor, c: Tensor | None, step: tuple[int, int]) -> tuple[Tensor, Tensor | None]:
        """Input and state of one step -> new hidden (and cell) state."""
        return self.update(x, h, c, step)


class Unrolled:
    """The step-by-step form of one recurrent module.

    Parameters
    ----------
    module : RNN, GRU or LSTM
        Any number of layers, either direction, ``batch_first`` or not, LSTM projections included.
    """

    def __init__(self, module: nn.RNNBase) -> None:
        self.module = module
        self._users: set[object] = set()
        self._had: Any = ABSENT
        self.points: dict[str, StatePoint] = {}
        self.maps: dict[str, GateMap] = {}
        self.cells: dict[str, CellStep] = {}
        # Brings a state of an earlier step to the rows of the present one, where a batch grows on the way.
        self.aligned: Callable[[Tensor], Tensor] = lambda state: state
        for layer in range(module.num_layers):
            for suffix in self.suffixes():
                self.maps[f"input{layer}{suffix}"] = GateMap(module, "ih", f"l{layer}{suffix}")
                self.maps[f"recurrent{layer}{suffix}"] = GateMap(module, "hh", f"l{layer}{suffix}")
                self.cells[f"l{layer}{suffix}"] = CellStep(self._update(layer, suffix))
                self.points[f"h{layer}{suffix}"] = StatePoint()
                if module.mode == "LSTM":
                    self.points[f"c{layer}{suffix}"] = StatePoint()

    def suffixes(self) -> list[str]:
        """Of the names of each direction."""
        return ["", "_reverse"] if self.module.bidirectional else [""]

    def is_stepped_by(self, tap: Tap) -> bool:
        """Whether a tap can only be reached step by step."""
        return any(tap.module is m for m in (*self.points.values(), *self.maps.values()))

    def run_stepwise(self, changes: Changes) -> None:
        """Let the module run step by step until the changes are undone; others may ask for the same meanwhile."""
        user = object()
        changes.undone_by(self._leave, user)
        self._users.add(user)
        if not self._is_stepwise:
            self._had = self.module.__dict__.get("forward", ABSENT)
            self.module.__dict__["forward"] = self.forward

    def _leave(self, user: object) -> None:
        self._users.discard(user)
        if not self._users and self._is_stepwise:
            put_back(self.module.__dict__, "forward", self._had)

    @property
    def _is_stepwise(self) -> bool:
        return bool(self.module.__dict__.get("forward") == self.forward)

    def forward(self, input: Any, hx: Any = None) -> tuple[Tensor, Any]:
        """Same arguments and results as the module's own forward, computed step by step."""
        m = self.module
        if not isinstance(input, Tensor):
            raise InputError(
                f"{type(m).__name__} got a {type(input).__name__}; step-by-step sites need a padded tensor"
            )
        if m.dropout and m.training and m.num_layers > 1:
            raise InputError(
                f"{type(m).__name__} has dropout between layers and is in train mode; its steps cannot be "
                "reproduced one by one. Call model.eval() first"
            )
        batched = input.ndim == 3
        x = input if batched else input.unsqueeze(0 if m.batch_first else 1)
        x = x if m.batch_first else x.transpose(0, 1)  # (trial, time, feature)
        h, c = self._initial(x, hx, batched)
        finals_h: list[Tensor] = []
        finals_c: list[Tensor] = []
        for layer in range(m.num_layers):
            directions = []
            for d, suffix in enumerate(self.suffixes()):
                k = layer * len(self.suffixes()) + d
                ys, hn, cn = self._layer(x, h[k], None if c is None else c[k], layer, suffix)
                directions.append(ys)
                finals_h.append(hn)
                finals_c.append(cn)
            x = torch.cat([self.aligned(ys) for ys in directions], dim=-1)
        finals_h, finals_c = [[self.aligned(f) for f in finals] for finals in (finals_h, finals_c)]
        out = x if m.batch_first else x.transpose(0, 1)
        final_h = torch.stack(finals_h)
        final: Any = (final_h, torch.stack(finals_c)) if m.mode == "LSTM" else final_h
        if not batched:
            out = out.squeeze(0 if m.batch_first else 1)
            final = tuple(f.squeeze(1) for f in final) if m.mode == "LSTM" else final.squeeze(1)
        return out, final

    def _initial(self, x: Tensor, hx: Any, batched: bool) -> tuple[Tensor, Tensor | None]:
        m = self.module
        n = m.num_layers * len(self.suffixes())
        if hx is None:
            h = x.new_zeros(n, len(x), m.proj_size or m.hidden_size)
            return h, x.new_zeros(n, len(x), m.hidden_size) if m.mode == "LSTM" else None
        if m.mode == "LSTM":
            return (hx[0], hx[1]) if batched else (hx[0].unsqueeze(1), hx[1].unsqueeze(1))
        return (hx if batched else hx.unsqueeze(1)), None

    def _layer(self, x: Tensor, h: Tensor, c: Tensor | None, layer: int, suffix: str) -> tuple[Tensor, Tensor, Tensor]:
        n = x.shape[1]
        order = range(n - 1, -1, -1) if suffix else range(n)
        outputs: list[Tensor] = [h] * n
        cell = self.cells[f"l{layer}{suffix}"]
        for t in order:
            h, c = cell(x[:, t], h, c, (t, n))
            outputs[t] = h
        return torch.stack([self.aligned(y) for y in outputs], dim=1), h, h if c is None else c

    def _update(self, layer: int, suffix: str) -> Callable[..., tuple[Tensor, Tensor | None]]:
        return lambda x, h, c, step: self._step(x, h, c, layer, suffix, step)

    def _step(
        self, x: Tensor, h: Tensor, c: Tensor | None, layer: int, suffix: str, step: tuple[int, int]
    ) -> tuple[Tensor, Tensor | None]:
        m = self.module
        name = f"l{layer}{suffix}"
        maps = [self.maps[f"{part}{layer}{suffix}"] for part in ("input", "recurrent")]
        for gate_map in maps:
            gate_map.step = step
        weights = [getattr(m, f"weight_ih_{name}"), getattr(m, f"weight_hh_{name}")]
        weights += [getattr(m, f"bias_{part}_{name}") if m.bias else None for part in ("ih", "hh")]
        if m.proj_size or any(forward_hooks(gate_map) for gate_map in maps):  # torch's cells know neither
            h, c = next_state(m, maps[0](x), maps[1](h), h, c, name)
        elif m.mode == "LSTM":
            assert c is not None
            h, c = torch.lstm_cell(x, (h, c), *weights)
        elif m.mode == "GRU":
            h = torch.gru_cell(x, h, *weights)
        else:
            h = (torch.rnn_tanh_cell if m.mode == "RNN_TANH" else torch.rnn_relu_cell)(x, h, *weights)
        if c is not None and m.mode == "LSTM":
            c = self._pass(f"c{layer}{suffix}", c, step)
        return self._pass(f"h{layer}{suffix}", h, step), c

    def _pass(self, name: str, state: Tensor, step: tuple[int, int]) -> Tensor:
        point = self.points[name]
        point.step = step
        result: Tensor = point(state)
        return result


def next_state(
    module: nn.RNNBase, from_input: Tensor, from_state: Tensor, h: Tensor, c: Tensor | None, name: str
) -> tuple[Tensor, Tensor | None]:
    """New hidden (and cell) state, from what input and last state give to the gates ``(trial, gate * unit)``.

    The equations of `torch.nn.RNN`, `GRU` and `LSTM`.
    """
    if module.mode == "GRU":
        reset, update, _ = (from_input + from_state).chunk(3, dim=-1)
        new_input, new_state = from_input.chunk(3, dim=-1)[2], from_state.chunk(3, dim=-1)[2]
        new = torch.tanh(new_input + torch.sigmoid(reset) * new_state)
        return new + torch.sigmoid(update) * (h - new), None
    gates = from_input + from_state
    if module.mode != "LSTM":
        return torch.tanh(gates) if module.mode == "RNN_TANH" else torch.relu(gates), None
    assert c is not None
    i, f, g, o = gates.chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(c)
    return h @ getattr(module, f"weight_hr_{name}").T if module.proj_size else h, c


def unroll(modules: Sequence[Unrolled], changes: Changes, taps: Sequence[Tap]) -> None:
    """Run those recurrent modules step by step whose states the taps ask for, until the changes are undone."""
    for unrolled in modules:
        if any(unrolled.is_stepped_by(tap) for tap in taps):
            unrolled.run_stepwise(changes)
