"""What a network computes, beside its weights: each thing that changes its outputs changes its name."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cloudpickle
import numpy as np
import pytest
import torch
from fixtures.families import FAMILIES
from torch import Tensor, nn

import artiphys as ap
from artiphys.errors import ArtiphysError, InputError, LesionError
from artiphys.structure import Structure

SCALE = 2.0
QUANTISE: Any = torch.ao.quantization.quantize_dynamic
X = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
Y = ap.Stimuli(X, {"y": np.arange(20) % 2})


def helper(x: Tensor) -> Tensor:
    return x * SCALE


def times(x: Tensor, by: float) -> Tensor:
    return x * by


def steer(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    return 3 * output


class Net(nn.Module):
    """Attributes of every kind that its forward uses."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 2)
        self.power: float = 1.0
        self.act: Callable[..., Tensor] = torch.tanh
        self.gains = np.ones(6, dtype=np.float32)
        self.fixed = torch.ones(6)
        self.options: dict[str, Any] = {"shift": 0.0, "names": ["x"]}
        self.config = SimpleNamespace(slope=1.0)
        self.hidden = [nn.Linear(6, 6)]
        with torch.no_grad():
            self.hidden[0].weight.copy_(torch.eye(6))

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.a(x)) ** self.power * torch.as_tensor(self.gains) * self.fixed + self.options["shift"]
        return torch.as_tensor(self.b(helper(self.hidden[0](h) * self.config.slope)))


def net() -> Any:
    torch.manual_seed(0)
    made = Net().eval()
    with torch.no_grad():
        made.hidden[0].bias.zero_()
    return made


def set_to(name: str, value: Any) -> Callable[[Any], None]:
    return lambda model: setattr(model, name, value)


def hidden_weight(model: Any) -> None:
    with torch.no_grad():
        model.hidden[0].weight[0, 0] = 2


def other_forward(self: Any, x: Tensor) -> Tensor:
    return torch.as_tensor(self.b(helper(torch.relu(self.a(x)))))


def patched(z: Tensor) -> Tensor:
    return torch.zeros(len(z), 6)


CHANGES: dict[str, Callable[[Any], None]] = {
    "forward of a module": lambda m: setattr(m.a, "forward", patched),
    "number": set_to("power", 3.0),
    "function": set_to("act", torch.sin),
    "function of the user": set_to("act", helper),
    "partial": set_to("act", functools.partial(times, by=2.0)),
    "array": set_to("gains", np.arange(6, dtype=np.float32)),
    "tensor": set_to("fixed", torch.arange(6.0)),
    "mapping": lambda m: m.options.update(shift=1.0),
    "object": lambda m: setattr(m.config, "slope", 0.5),
    "module in a list": hidden_weight,
    "submodule": set_to("a", nn.Sequential(nn.Linear(4, 6), nn.Tanh())),
    "hook": lambda m: m.b.register_forward_hook(steer) and None,
    "hook before": lambda m: m.b.register_forward_pre_hook(lambda mod, args: (2 * args[0],)) and None,
    "code": lambda m: setattr(m, "__class__", type("Net", (Net,), {"forward": other_forward})),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_outputs_changes_the_name_and_is_noticed_in_memory(change: str) -> None:
    model = net()
    prep = ap.wrap(model, X)
    game = ap.Game(prep, Y, ap.scores.log_prob("y"), prep.players("a"), kind="zero")
    before, name = model(X), prep.fingerprint()
    assert game.intact is not None and ap.wrap(net(), X).fingerprint() == name
    CHANGES[change](model)
    assert not torch.equal(model(X), before), "the change must do something here"
    assert prep.fingerprint() != name
    with pytest.raises(LesionError, match="have changed since this game was made"):
        game(np.zeros((1, game.n_players), dtype=bool))


def test_a_global_value_that_the_code_uses_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    name = ap.wrap(net(), X).fingerprint()
    monkeypatch.setitem(globals(), "SCALE", 5.0)
    assert ap.wrap(net(), X).fingerprint() != name


class Sizes:
    """A class whose attribute the code reads."""

    k = 1.0


TABLE = {"k": 1.0}


class Reader(nn.Module):
    gain = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 6)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.a(x) * self.gain * Sizes.k * TABLE["k"])


@pytest.mark.parametrize("place", ["class", "another class", "table", "every module"])
def test_what_lies_outside_a_module_counts_too(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    prep = ap.wrap(Reader().eval(), X)
    name = prep.fingerprint()
    if place == "every module":
        handle = nn.modules.module.register_module_forward_hook(lambda m, a, o: 2 * o)
        assert prep.fingerprint() != name
        handle.remove()
        return
    if place == "table":
        monkeypatch.setitem(TABLE, "k", 2.0)
    else:
        monkeypatch.setattr(Reader if place == "class" else Sizes, "gain" if place == "class" else "k", 2.0)
    assert prep.fingerprint() != name


def test_a_module_that_was_replaced_is_said() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)).eval()
    prep = ap.wrap(model, X)
    players = prep.players("1")
    model[1] = nn.Tanh()
    with pytest.raises(ArtiphysError, match="wrap the network again"):
        ap.Game(prep, Y, ap.scores.log_prob("y"), players, kind="zero")
    with pytest.raises(ArtiphysError, match="again"), ap.lesioned(prep, ap.Lesion("1", units=[0], kind="zero")):
        model(X)
    assert ap.wrap(model, X).sites["1"].n_units == 6


def test_what_changes_nothing_changes_no_name() -> None:
    model = net()
    prep = ap.wrap(model, X)
    name = prep.fingerprint()
    model.requires_grad_(False)
    model.train()
    assert prep.fingerprint() == name
    with ap.lesioned(prep, ap.Lesion("a", units=[0], kind="zero")):
        assert prep.fingerprint() == name
    assert ap.wrap(copy.deepcopy(net()), X).fingerprint() == name
    assert ap.wrap(cloudpickle.loads(cloudpickle.dumps(net())), X).fingerprint() == name


@pytest.mark.parametrize("family", ["LlamaForCausalLM", "GPT2LMHeadModel", "MixtralForCausalLM"])
def test_a_transformer_is_told_by_its_configuration(family: str) -> None:
    prep, again = (ap.wrap(FAMILIES[family].make()) for _ in range(2))
    name = prep.fingerprint()
    assert again.fingerprint() == name and not Structure(prep.model).unnamed
    model, example, _ = cloudpickle.loads(cloudpickle.dumps(prep.adapter.portable()))
    assert ap.wrap(model, example).fingerprint() == name, "a worker's copy is the same network"
    prep.bridge.original_model.config.hidden_act = "relu"
    assert prep.fingerprint() != name


def values(model: nn.Module, cache: Path | None) -> float:
    prep = ap.wrap(model, X)
    return float(ap.Game(prep, Y, ap.scores.log_prob("y"), prep.players("0"), kind="zero", cache=cache).intact)


def test_a_campaign_is_of_one_activation(tmp_path: Path) -> None:
    torch.manual_seed(0)
    relu = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)).eval()
    tanh = copy.deepcopy(relu)
    tanh[1] = nn.Tanh()
    values(relu, tmp_path / "c")
    assert values(tanh, tmp_path / "c") == values(tanh, None) != values(relu, None)
    relu[2].register_forward_hook(steer)
    assert values(relu, tmp_path / "c") == values(relu, None)


def closure(by: float) -> Callable[..., Tensor]:
    return lambda module, args, output: by * output


@pytest.mark.filterwarnings("ignore:torch.ao.quantization:DeprecationWarning", "ignore:torch.quantize_per:UserWarning")
@pytest.mark.filterwarnings("ignore:the network mixes")  # scales of dynamic quantisation are those of a batch
@pytest.mark.parametrize("what", ["lambda", "closure", "quantised"])
def test_what_has_no_name_is_kept_on_no_disk(what: str, tmp_path: Path) -> None:
    model: Any = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)).eval()
    if what == "quantised":
        model[2] = QUANTISE(nn.Sequential(model[2]), {nn.Linear})[0]
    else:
        model[2].register_forward_hook(closure(2.0) if what == "closure" else lambda m, a, o: 3 * o)
    with pytest.raises(InputError, match="cannot be kept on disk"):
        values(model, tmp_path / "c")
    assert math.isfinite(values(model, None))
