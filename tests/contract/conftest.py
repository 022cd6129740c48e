"""The networks of the contract suite: one case an adapter or a family, with a lesion as a weight edit."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils import backend_registration

import artiphys as ap
from artiphys.stimuli import Inputs

if hasattr(backend_registration, "_setup_privateuseone_for_python_backend"):
    from fixtures.pretend_device import NAME, pretend
else:  # an older torch cannot have a device in Python
    NAME, pretend = "", contextlib.nullcontext  # type: ignore[assignment]


@dataclass
class Case:
    """A network, its inputs, a site with a unit, and the weight edit that is the same as its zero lesion."""

    make: Callable[[], nn.Module]
    inputs: Inputs
    site: str
    unit: int
    edit: Callable[[Any], None]
    read: Callable[[Any, Inputs], Tensor]  # what the bare model computes at the site
    tolerance: float = 1e-6
    options: dict[str, Any] | None = None
    device: str = "cpu"

    def model(self) -> nn.Module:
        torch.manual_seed(0)
        return self.make().eval().to(self.device)

    def on_cpu(self) -> Case:
        return replace(self, device="cpu")

    def wrap(self, model: nn.Module) -> ap.Preparation:
        example = None if hasattr(model, "config") else self.inputs
        return ap.wrap(model, example, **(self.options or {}))

    def bare(self, model: nn.Module, inputs: Inputs | None = None) -> Tensor:
        x: Any = self.inputs if inputs is None else inputs
        with torch.no_grad():
            if isinstance(x, dict):
                out = model(**{k: v.to(self.device) for k, v in x.items()})
            else:
                out = model(x.to(self.device))
        return first(out).cpu()

    def edited(self) -> Tensor:
        model = copy.deepcopy(self.on_cpu().model())
        with torch.no_grad():
            self.edit(model)
        return self.on_cpu().bare(model)


def first(out: Any) -> Tensor:
    out = getattr(out, "logits", out)
    if isinstance(out, dict):
        out = next(iter(out.values()))
    return torch.as_tensor(out[0] if isinstance(out, tuple) else out)


class Mlp(nn.Module):
    """Returns a dict, activates in place."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(5, 6)
        self.act = nn.ReLU(inplace=True)
        self.out = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"logits": self.out(self.act(self.inner(x)))}


class Cnn(nn.Module):
    """One activation module called twice; returns a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 5, 3)
        self.norm = nn.BatchNorm2d(4)
        self.act = nn.ReLU()
        self.out = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.act(self.conv2(self.act(self.norm(self.conv1(x)))))
        return self.out(h.mean(dim=(2, 3))), h


class ConvGru(nn.Module):
    """A convolution with a recurrent net on top."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 4, 3, padding=1)
        self.gru = nn.GRU(4, 5, num_layers=2, batch_first=True)
        self.out = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(torch.relu(self.conv(x)).transpose(1, 2))
        return torch.as_tensor(self.out(states[:, -1]))


class Loop(nn.Module):
    """A hand-written loop over a cell."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.RNNCell(2, 4)
        self.out = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(len(x), 4)
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h)
        return torch.as_tensor(self.out(h))


def silence_rnn(module: Any, layer: int, unit: int) -> None:
    """A tanh unit without any input is 0 for ever; a GRU unit whose update gate is stuck at new = 0 too."""
    size = module.hidden_size
    rows = [unit] if "RNN" in module.mode else [unit, size + unit, 2 * size + unit]
    for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(module, f"{part}_l{layer}")[rows] = 0


def silence_cell(module: nn.RNNCell, unit: int) -> None:
    for w in (module.weight_ih, module.weight_hh, module.bias_ih, module.bias_hh):
        w[unit] = 0


def small(name: str) -> nn.Module:
    import transformers as t

    shape = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 48}
    words = {"vocab_size": 50, "max_position_embeddings": 32}
    if name == "gpt2":
        model = t.GPT2LMHeadModel(t.GPT2Config(n_layer=2, n_head=4, n_embd=32, vocab_size=50, n_positions=32))
    elif name == "llama":
        model = t.LlamaForCausalLM(t.LlamaConfig(**shape, **words, num_key_value_heads=2))
    elif name == "mixtral":
        experts = {"num_local_experts": 4, "num_experts_per_tok": 2, "num_key_value_heads": 2}
        model = t.MixtralForCausalLM(t.MixtralConfig(**shape, **words, **experts))
    else:
        model = t.BertForMaskedLM(t.BertConfig(**shape, **words))
    made: nn.Module = model
    return made


def columns(weight: Tensor, head: int = 1, size: int = 8) -> None:
    weight[:, head * size : (head + 1) * size] = 0


def conv1d_rows(weight: Tensor, head: int = 1, size: int = 8) -> None:
    weight[head * size : (head + 1) * size] = 0


def expert(model: Any) -> None:
    model.model.layers[0].mlp.experts.down_proj[2] = 0


def hidden_state(model: Any, inputs: Inputs) -> Tensor:
    """Residual stream after the first block, by transformers itself."""
    with torch.no_grad():
        out = model(input_ids=inputs, output_hidden_states=True)
    return torch.as_tensor(out.hidden_states[1])


TOKENS = torch.randint(0, 50, (3, 7), generator=torch.Generator().manual_seed(0))
HEAD = "blocks.0.attn.hook_z"
NORMAL = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
IMAGES = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(2))
SERIES = torch.randn(4, 2, 6, generator=torch.Generator().manual_seed(3))
STEPS = torch.randn(4, 6, 2, generator=torch.Generator().manual_seed(4))


def transformer(name: str, edit: Callable[[Any], None]) -> Case:
    return Case(lambda: small(name), TOKENS, HEAD, 1, edit, hidden_state, 1e-5)


def zero_unit(linear: nn.Linear, unit: int) -> None:
    linear.weight[:, unit] = 0


def gru_states(model: Any, inputs: Inputs) -> Tensor:
    assert isinstance(inputs, Tensor)
    with torch.no_grad():
        return torch.as_tensor(model.gru(torch.relu(model.conv(inputs)).transpose(1, 2))[0])


def loop_states(model: Any, inputs: Inputs) -> Tensor:
    assert isinstance(inputs, Tensor)
    h, kept = inputs.new_zeros(len(inputs), 4), []
    with torch.no_grad():
        for t in range(inputs.shape[1]):
            h = model.cell(inputs[:, t], h)
            kept.append(h)
    return torch.stack(kept, dim=1)


def cnn_maps(model: Any, inputs: Inputs) -> Tensor:
    with torch.no_grad():
        return torch.as_tensor(model.act(model.norm(model.conv1(inputs))))


def mlp_linear(model: Any, inputs: Inputs) -> Tensor:
    with torch.no_grad():
        return torch.as_tensor(nn.functional.linear(torch.as_tensor(inputs), model.inner.weight, model.inner.bias))


CASES: dict[str, Case] = {
    "mlp": Case(Mlp, NORMAL, "inner", 2, lambda m: zero_unit(m.out, 2), mlp_linear),
    "cnn": Case(Cnn, IMAGES, "act#0", 1, lambda m: m.conv2.weight[:, 1].zero_(), cnn_maps),
    "gru": Case(ConvGru, SERIES, "gru.h1", 3, lambda m: silence_rnn(m.gru, 1, 3), gru_states, 1e-5),
    "loop": Case(Loop, STEPS, "cell", 1, lambda m: silence_cell(m.cell, 1), loop_states),
    "gpt2": transformer("gpt2", lambda m: conv1d_rows(m.transformer.h[0].attn.c_proj.weight)),
    "llama": transformer("llama", lambda m: columns(m.model.layers[0].self_attn.o_proj.weight)),
    "mixtral": transformer("mixtral", lambda m: columns(m.model.layers[0].self_attn.o_proj.weight)),
    "bert": transformer("bert", lambda m: columns(m.bert.encoder.layer[0].attention.output.dense.weight)),
    "experts": Case(
        lambda: small("mixtral"), TOKENS, "blocks.0.mlp.hook_expert_weights", 2, expert, hidden_state, 1e-5
    ),
}  # fmt: skip


def devices() -> list[str]:
    """A device that mixes with no CPU tensors, and a GPU where there is one."""
    return [*([NAME] if NAME else []), *(["cuda"] if torch.cuda.is_available() else [])]


@contextlib.contextmanager
def present(device: str) -> Iterator[str]:
    with pretend() if device == NAME else contextlib.nullcontext():
        yield device


# One of each kind: on a device in Python a transformer takes seconds.
ELSEWHERE = [name for name in CASES if name not in ("gpt2", "mixtral", "bert")]


@pytest.fixture(
    params=[*((name, "cpu") for name in CASES), *((name, device) for device in devices() for name in ELSEWHERE)],
    ids="-".join,
)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    name, device = request.param
    with present(device):
        yield replace(CASES[name], device=device)


@pytest.fixture(params=devices())
def device(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    with present(request.param):
        yield torch.device(request.param)


@pytest.fixture(params=[name for name in ELSEWHERE if name != "experts"])
def cpu_case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]
