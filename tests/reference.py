"""What tests compare with: one forward pass a coalition, and small networks of real kinds."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

import artiphys as ap

Array = np.ndarray[Any, Any]


def net(n: int = 6, seed: int = 0) -> tuple[ap.Preparation, ap.Stimuli]:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(5, n), nn.ReLU(), nn.Linear(n, 3)).eval()
    x = torch.randn(20, 5, generator=torch.Generator().manual_seed(1))
    return ap.wrap(model, x), ap.Stimuli(x, {"label": torch.arange(20) % 3})


def game(n: int = 6, kind: Any = "zero", **options: Any) -> ap.Game:
    prep, stimuli = net(n)
    return ap.Game(prep, stimuli, ap.scores.log_prob("label"), prep.players("1"), kind=kind, **options)


def coalitions(n: int) -> np.ndarray[Any, Any]:
    return np.asarray((np.arange(2**n)[:, None] >> np.arange(n)) & 1 == 1)


def some(n: int, players: int, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    return np.unique(rng.random((n, players)) < 0.6, axis=0)


def looped(game: ap.Game, coalitions: Array) -> Array:
    """One forward a coalition through ap.lesioned, which knows nothing of stages."""
    values = []
    for row in coalitions:
        lesions = [w.lesion for parts, intact in zip(game.setup.players, row) if not intact for w in parts]
        with torch.no_grad():
            if lesions:
                with ap.lesioned(game.prep, *lesions):
                    outputs = game.prep.run(game.stimuli, last_only=game.score.needs == "last").outputs
            else:
                outputs = game.prep.run(game.stimuli, last_only=game.score.needs == "last").outputs
            values.append(float(game.score(outputs, game.stimuli).mean()))
    return np.array(values)


def transformer(name: str) -> Any:
    import transformers as t

    torch.manual_seed(0)
    shape = {"num_hidden_layers": 3, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 48}
    words = {"vocab_size": 50, "max_position_embeddings": 32}
    models = {
        "gpt2": lambda: t.GPT2LMHeadModel(
            t.GPT2Config(n_layer=3, n_head=4, n_embd=32, vocab_size=50, n_positions=32, bos_token_id=1, eos_token_id=1)
        ),
        "llama": lambda: t.LlamaForCausalLM(t.LlamaConfig(**shape, **words, num_key_value_heads=2)),
        "mixtral": lambda: t.MixtralForCausalLM(
            t.MixtralConfig(**shape, **words, num_local_experts=4, num_experts_per_tok=2, num_key_value_heads=2)
        ),
        "neox": lambda: t.GPTNeoXForCausalLM(t.GPTNeoXConfig(**shape, **words)),
        "bert": lambda: t.BertForMaskedLM(t.BertConfig(**shape, **words)),
    }
    return models[name]().eval()
