"""The last block at the wanted positions gives what the whole block gives, whatever is lesioned where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from fixtures.games import looped, some
from fixtures.networks import transformer

import artiphys as ap
from artiphys.adapters.last_block import LastBlock
from artiphys.adapters.stages import NotStagedError

SPLIT = "prefixes shared over 3 stages, the last at the positions wanted"


def prompts(n: int = 3, length: int = 6) -> ap.Stimuli:
    tokens = torch.randint(0, 50, (n, length), generator=torch.Generator().manual_seed(0))
    return ap.Stimuli(tokens, {"target": [3, 4, 5][:n], "when": [2, length - 1, 1][:n]})


def agrees(game: ap.Game, n_players: int) -> bool:
    coalitions = some(20, n_players)
    values = game(coalitions)
    assert values == pytest.approx(looped(game, coalitions), rel=1e-5, abs=1e-6)
    assert np.ptp(values) > 1e-5
    return game.plan(coalitions[:1], measure=False).sharing == SPLIT


@pytest.mark.parametrize("name", ["gpt2", "llama", "neox", "mixtral"])
@pytest.mark.parametrize("options", [{"kind": "zero"}, {"kind": "mean"}, {"kind": "mean", "over": "trial"},
                                     {"kind": "resample"}, {"kind": "noise", "sd": 0.5}], ids=str)  # fmt: skip
def test_heads_of_decoders(name: str, options: Any) -> None:
    prep = ap.wrap(transformer(name))
    game = ap.Game(prep, prompts(), ap.scores.log_prob("target"), prep.players("blocks.*.attn.hook_z"), **options)
    assert agrees(game, 12)


@pytest.mark.parametrize("site", ["attn.hook_q", "attn.hook_k", "attn.hook_v", "attn.hook_pattern", "hook_resid_pre",
                                  "hook_attn_out", "mlp.hook_post", "hook_mlp_out", "hook_resid_post"])  # fmt: skip
@pytest.mark.parametrize("kind", ["zero", "mean"])
def test_any_site_of_the_last_block(site: str, kind: Any) -> None:
    """Before its keys and values a lesion reaches all positions, after them only the wanted ones."""
    prep = ap.wrap(transformer("llama"))
    names = [f"blocks.{layer}.{site}" for layer in (1, 2)]
    players = [prep.players(name) for name in names]
    some_players = [list(of_layer)[i] for of_layer in players for i in (0, 1)]
    game = ap.Game(prep, prompts(), ap.scores.log_prob("target"), some_players, kind=kind)
    assert agrees(game, len(some_players))


def test_experts_of_a_mixture() -> None:
    prep = ap.wrap(transformer("mixtral"))
    players = prep.players("blocks.*.mlp.hook_expert_weights")
    game = ap.Game(prep, prompts(), ap.scores.log_prob("target"), players, kind="zero")
    assert agrees(game, len(players))


@pytest.mark.parametrize("time", [5, -1, (0, 1), slice(2, None), slice(0, 3), "when"], ids=str)
def test_windows_of_time(time: Any) -> None:
    prep = ap.wrap(transformer("gpt2"))
    players = prep.players("blocks.*.attn.hook_z")
    game = ap.Game(prep, prompts(), ap.scores.log_prob("target"), players, kind="zero", time=time)
    assert agrees(game, 12)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("kind", ["zero", "noise"])
def test_prompts_of_several_lengths(side: Any, kind: Any) -> None:
    prep = ap.wrap(transformer("llama"))
    rows = [[5, 6, 7, 8, 9, 2], [9, 10, 11, 3], [3, 4, 5, 1, 7]]
    ids, mask = torch.zeros(3, 6, dtype=torch.long), torch.zeros(3, 6, dtype=torch.long)
    for i, row in enumerate(rows):
        place = slice(0, len(row)) if side == "right" else slice(6 - len(row), 6)
        ids[i, place], mask[i, place] = torch.tensor(row), 1
    stimuli = ap.Stimuli({"input_ids": ids, "attention_mask": mask}, {"target": [3, 4, 5]})
    options: Any = {"sd": 0.5} if kind == "noise" else {}
    players = prep.players("blocks.*.attn.hook_z")
    game = ap.Game(prep, stimuli, ap.scores.log_prob("target"), players, kind=kind, **options)
    assert agrees(game, 12)


def test_players_of_the_last_block_alone_share_all_below_it() -> None:
    prep = ap.wrap(transformer("gpt2"))
    players = prep.players("blocks.2.attn.hook_z")
    game = ap.Game(prep, prompts(), ap.scores.log_prob("target"), players, kind="zero", batch_size=6)
    assert agrees(game, 4)


def test_what_follows_the_last_block_can_be_lesioned() -> None:
    prep = ap.wrap(transformer("gpt2"))
    players = [*prep.players("blocks.2.attn.hook_z"), *list(prep.players("ln_final.hook_normalized"))[:3]]
    game = ap.Game(prep, prompts(), ap.scores.log_prob("target"), players, kind="zero")
    assert agrees(game, 7)


def test_blocks_that_see_ahead_need_only_all_keys_too() -> None:
    prep = ap.wrap(transformer("bert"))
    players = prep.players("blocks.*.attn.hook_z")
    game = ap.Game(prep, prompts(), ap.scores.log_prob("target"), players, kind="zero")
    assert agrees(game, 12)


def test_scores_at_all_positions_compute_all_positions() -> None:
    prep = ap.wrap(transformer("gpt2"))
    score = ap.scores.Score(lambda outputs, trials: outputs[:, :, 3].sum(dim=1), "sum")
    game = ap.Game(prep, prompts(), score, prep.players("blocks.*.attn.hook_z"), kind="zero")
    assert not agrees(game, 12)


def test_the_last_block_is_planned_as_a_part() -> None:
    prep = ap.wrap(transformer("gpt2"))
    players = list(prep.players("blocks.2.attn.hook_z"))
    last = ap.Game(prep, prompts(length=24), ap.scores.log_prob("target"), players, kind="zero")
    cost = last.plan(some(20, 4), measure=False).layer_units / len(some(20, 4))
    assert 0 < cost < 0.5  # one of 24 positions, and 1 node below for all


def test_what_takes_no_cache_is_told_apart() -> None:
    with pytest.raises(NotStagedError, match="takes no cache"):
        LastBlock(torch.nn.Linear(2, 2))
