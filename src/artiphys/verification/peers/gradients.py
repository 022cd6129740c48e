"""Rankings of players by gradients, and circuits by masks that are learned with them.

Layers are reached by plain hooks and by captum, not by the engine that is examined beside them; connections, which no
other package cuts in any network, by `artiphys.attribution`.

References: Sundararajan, Taly & Yan 2017, Axiomatic attribution for deep networks; Syed, Rager & Conmy 2023,
Attribution patching outperforms automated circuit discovery; Hanna, Pezzelle & Belinkov 2024, Have faith in
faithfulness: going beyond circuit overlap when finding model mechanisms (integrated gradients of edges); Louizos,
Welling & Kingma 2018, Learning sparse neural networks through L0 regularization (gates).
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from artiphys.errors import InputError
from artiphys.lesions import attribution
from artiphys.toys.toy import Toy
from artiphys.verification.answer_forms import as_set, ranked
from artiphys.verification.methods import Case, Found, InapplicableError

N_STEPS = 300
LEARNING_RATE = 0.1
TEMPERATURE, LOW, HIGH = 2 / 3, -0.1, 1.1  # of hard-concrete gates, as published
SPARSITY = 4.0  # cost of keeping all players, beside a squared loss; best of .05 to 4 on other seeds


def gradient_by_activation(case: Case) -> Found:
    """captum's LayerGradientXActivation."""
    from captum.attr import LayerGradientXActivation

    return _by_layer(case, LayerGradientXActivation)


def integrated_gradients(case: Case) -> Found:
    """captum's LayerIntegratedGradients from inputs of zero."""
    from captum.attr import LayerIntegratedGradients

    return _by_layer(case, LayerIntegratedGradients)


def _by_layer(case: Case, method: Callable[..., Any]) -> Found:
    toy = case.toy
    values: dict[str, float] = {}
    for site in toy.players:
        net = copy.deepcopy(toy.model)
        layer = _layer(net, toy, site)

        def forward(x: Tensor, net: nn.Module = net) -> Tensor:
            return _scores(toy, net(x))

        if not forward(_inputs(toy)).requires_grad:
            raise InapplicableError("the score has no gradient")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # theirs
            found = method(forward, layer).attribute(_inputs(toy))
        per_unit = found.detach().reshape(len(found), -1, found.shape[-1]).sum(dim=1).mean(dim=0)
        values |= {f"{site}.{i}": float(v) for i, v in enumerate(per_unit)}
    return ranked(values, case)


def edge_attribution(case: Case, method: Literal["gradient", "integrated"]) -> Found:
    """Gradients by gates on connections: edge attribution patching, and its form with integrated gradients."""
    try:
        return ranked(attribution(case.game, method=method), case)
    except InputError as error:
        raise InapplicableError(str(error)) from error


def learned_masks(case: Case) -> Found:
    """Hard-concrete gates on all units, trained to keep the score with few of them; those open at the end."""
    toy = case.toy
    net, gates = copy.deepcopy(toy.model), dict[str, Tensor]()
    handles = [_layer(net, toy, s).register_forward_hook(_multiplied(gates, s)) for s in toy.players]
    sizes = {s: sum(1 for p in case.game.player_names if str(p).rpartition(".")[0] == s) for s in toy.players}
    openness = {s: torch.full((n,), 2.0, requires_grad=True) for s, n in sizes.items()}
    generator = torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(openness.values(), LEARNING_RATE)
    none, whole = case.game.lesioned, case.game.intact
    try:
        for _ in range(N_STEPS):
            gates.update({s: _sampled(a, generator) for s, a in openness.items()})
            kept = (_scores(toy, net(_inputs(toy))).mean() - none) / (whole - none)
            if not kept.requires_grad:
                raise InapplicableError("no gradient reaches the gates")
            n_open = torch.cat([torch.sigmoid(a - TEMPERATURE * math.log(-LOW / HIGH)) for a in openness.values()])
            loss = (kept - 1) ** 2 + SPARSITY * n_open.mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    finally:
        for handle in handles:
            handle.remove()
    open_ = {f"{s}.{i}" for s, a in openness.items() for i, v in enumerate(a.tolist()) if v > 0}
    return as_set(open_, case)


def _sampled(openness: Tensor, generator: torch.Generator) -> Tensor:
    u = torch.rand(openness.shape, generator=generator).clamp(1e-6, 1 - 1e-6)
    s = torch.sigmoid((u.log() - (1 - u).log() + openness) / TEMPERATURE)
    return (s * (HIGH - LOW) + LOW).clamp(0, 1)


def _multiplied(gates: dict[str, Tensor], site: str) -> Callable[[nn.Module, Any, Tensor], Tensor]:
    return lambda module, args, out: out * gates[site]


def _scores(toy: Toy, outputs: Tensor) -> Tensor:
    """A value per row; integrated gradients give the trials once for each step."""
    n = len(toy.stimuli)
    return torch.cat([toy.score.raw(part, toy.stimuli, n) for part in torch.split(outputs, n)])


def _inputs(toy: Toy) -> Tensor:
    inputs = toy.stimuli.inputs
    if not isinstance(inputs, Tensor) or not inputs.is_floating_point():
        raise InapplicableError("for networks that take one tensor of numbers")
    return inputs.clone().requires_grad_()


def _layer(net: nn.Module, toy: Toy, site: str) -> nn.Module:
    """The module whose output the site is.

    Raises
    ------
    InapplicableError
        If it is called more than once, or the site is no module's output.
    """
    if toy.steps or toy.connections or toy.windows or toy.grouped:
        raise InapplicableError("for units of layers that are called once")
    try:
        return net.get_submodule(site)
    except AttributeError as error:
        raise InapplicableError(f"{site} is not the output of a module") from error
