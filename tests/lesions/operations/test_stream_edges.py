"""Edges of a transformer's residual stream, against an independent forward pass that patches every path by itself."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from fixtures.path_patching import Edge, every_edge, patched
from torch import Tensor

import artiphys as ap
from artiphys.errors import HookError, InputError, LesionError, SiteError
from artiphys.scores.score import Score

FIRST = Score(lambda outputs, trials: outputs[:, -1, 3], "logit", "nat", key="edge logit")
LAST = Score(lambda outputs, trials: outputs[:, 3], "logit", "nat", key="edge logit at the end", needs="last")
TOKENS = torch.randint(0, 50, (3, 7), generator=torch.Generator().manual_seed(0))


def gpt2(**options: Any) -> Any:
    torch.manual_seed(0)
    config = transformers.GPT2Config(n_layer=3, n_head=4, n_embd=32, vocab_size=50, n_positions=32, bos_token_id=0,
                                     eos_token_id=0, initializer_range=0.3, **options)  # fmt: skip
    return transformers.GPT2LMHeadModel(config).eval().requires_grad_(False)


def llama() -> Any:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
                                      num_key_value_heads=2, vocab_size=50, initializer_range=0.3)  # fmt: skip
    return transformers.LlamaForCausalLM(config).eval().requires_grad_(False)


def sender(s: Any) -> tuple[str, int | None]:
    if s == "embed":
        return "blocks.0.hook_resid_pre", None
    return (f"blocks.{s[1]}.hook_mlp_out", None) if s[0] == "mlp" else (f"blocks.{s[0]}.attn.hook_z", s[1])


def as_edge(edge: Edge, kind: Any = "zero", reference: Any = None) -> ap.Edge:
    (site, unit), r = sender(edge[0]), edge[1]
    receiver = {"mlp": f"blocks.{r[1]}.mlp", "logits": "unembed"}.get(r[0], f"blocks.{r[1]}.attn")
    heads, slot = (r[2], r[0]) if r[0] in "qkv" else (None, None)
    return ap.Edge(site, receiver, sender_units=unit, receiver_units=heads, slot=slot, kind=kind, reference=reference)


def name(edge: Edge) -> str:
    """As `Preparation.edges` names it."""
    (site, unit), r = sender(edge[0]), edge[1]
    receiver = {"mlp": f"blocks.{r[1]}.ln2.hook_in", "logits": "ln_final.hook_in"}.get(r[0])
    receiver = receiver or f"blocks.{r[1]}.attn.hook_{r[0]}.{r[2]}"
    return f"{site}{'' if unit is None else f'.{unit}'} → {receiver}"


def coalition_without(players: Any, cut: Iterable[Edge]) -> Any:
    gone = {name(e) for e in cut}
    assert gone <= set(players.names)
    return np.array([n not in gone for n in players.names])


@pytest.fixture(scope="module", params=[gpt2, llama], ids=["gpt2", "llama"])
def network(request: Any) -> tuple[Any, Any, list[Edge], dict[Any, Tensor]]:
    model = request.param()
    plain = copy.deepcopy(model)
    patched(plain, TOKENS, set())
    return ap.wrap(model), plain, every_edge(plain), dict(patched.added)  # type: ignore[attr-defined]


def test_every_edge_is_a_player(network: Any) -> None:
    prep, plain, edges, _ = network
    assert sorted(prep.edges().names) == sorted(name(e) for e in edges)
    assert len(edges) == {"GPT2LMHeadModel": 262, "LlamaForCausalLM": 190}[type(plain).__name__]


@pytest.mark.parametrize("kind", ["zero", "mean"])
def test_edges_equal_patching_path_by_path(network: Any, kind: str) -> None:
    prep, plain, edges, added = network
    means = {s: x.mean(0, keepdim=True) for s, x in added.items()} if kind == "mean" else None
    reference = ap.Stimuli(TOKENS) if kind == "mean" else None
    rng = np.random.default_rng(0)
    some = [[edges[i]] for i in rng.choice(len(edges), 12, replace=False)]
    some += [[e for e in edges if rng.random() < p] for p in (0.1, 0.5, 0.9, 1.0)]
    for cut in some:
        with ap.lesioned(prep, *[as_edge(e, kind, reference) for e in cut]):
            got = prep.run(TOKENS).outputs
        torch.testing.assert_close(got, patched(plain, TOKENS, set(cut), means), atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(prep.run(TOKENS).outputs, plain(TOKENS).logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["zero", "mean"])
@pytest.mark.parametrize("score", [FIRST, LAST], ids=["all positions", "last position"])
def test_a_game_of_edges_equals_patching_path_by_path(network: Any, kind: Any, score: Score) -> None:
    prep, plain, edges, added = network
    means = {s: x.mean(0, keepdim=True) for s, x in added.items()} if kind == "mean" else None
    players = prep.edges()
    game = ap.Game(prep, TOKENS, score, players, kind=kind, progress=False)
    rng = np.random.default_rng(1)
    cuts = [[edges[i]] for i in rng.choice(len(edges), 6, replace=False)]
    cuts += [[e for e in edges if rng.random() < p] for p in (0.02, 0.1, 0.5, 0.9, 1.0)]
    got = game.per_trial(np.stack([coalition_without(players, cut) for cut in cuts]))
    for cut, values in zip(cuts, got):
        expected = patched(plain, TOKENS, set(cut), means)[:, -1, 3]
        np.testing.assert_allclose(values, expected.numpy(), atol=1e-5, rtol=1e-5)
    assert "prefixes shared" in game.plan(np.ones((1, len(players)), dtype=bool)).sharing


def test_padded_prompts_and_blocks_of_any_size_give_the_same(network: Any) -> None:
    prep, *_ = network
    mask = torch.ones_like(TOKENS)
    mask[0, :3] = mask[2, :1] = 0
    padded = {"input_ids": TOKENS, "attention_mask": mask}
    players = prep.edges(group_by="site")
    coalitions = np.random.default_rng(2).random((12, len(players))) < 0.7
    tables = [
        ap.Game(prep, padded, LAST, players, kind="mean", batch_size=size, progress=False).per_trial(coalitions)
        for size in (1, 3, 6, 40)
    ]
    for table in tables[1:]:
        np.testing.assert_allclose(table, tables[0], atol=1e-5, rtol=1e-5)
    alone = ap.Game(prep, {"input_ids": TOKENS[:1, 3:]}, LAST, players, kind="zero", progress=False)
    with_others = ap.Game(prep, padded, LAST, players, kind="zero", progress=False)
    np.testing.assert_allclose(
        with_others.per_trial(coalitions)[:, :1], alone.per_trial(coalitions), atol=2e-5, rtol=1e-4
    )


def test_in_double_precision_edges_are_exact() -> None:
    model = gpt2().double()
    plain, prep = copy.deepcopy(model), ap.wrap(model)
    edges = every_edge(plain)
    cut = [e for e in edges if np.random.default_rng(len(str(e))).random() < 0.4]
    with ap.lesioned(prep, *[as_edge(e) for e in cut]):
        torch.testing.assert_close(prep.run(TOKENS).outputs, patched(plain, TOKENS, set(cut)), atol=1e-12, rtol=1e-12)


def test_a_lesioned_sender_sends_what_it_has_left(network: Any) -> None:
    prep, plain, edges, _ = network
    head = ap.Lesion("blocks.0.attn.hook_z", units=[1], kind="zero")
    cut = [e for e in edges if e[0] == (0, 1)]
    others = [e for e in edges if e[0] == (0, 2)][:3]
    with ap.lesioned(prep, head):
        expected = prep.run(TOKENS).outputs
    with ap.lesioned(prep, *[as_edge(e) for e in cut]):
        torch.testing.assert_close(prep.run(TOKENS).outputs, expected, atol=2e-5, rtol=1e-5)
    with ap.lesioned(prep, head, *[as_edge(e) for e in cut + others]):
        both = prep.run(TOKENS).outputs
    torch.testing.assert_close(both, patched(plain, TOKENS, set(cut + others)), atol=2e-5, rtol=1e-5)
    game = ap.Game(prep, TOKENS, FIRST, [head, *[as_edge(e) for e in cut + others]], kind="zero", progress=False)
    assert game.lesioned == pytest.approx(float(both[:, -1, 3].detach().mean()), abs=1e-5)


def test_edges_act_at_their_receivers_times(network: Any) -> None:
    prep, plain, edges, _ = network
    e = next(e for e in edges if e == (("mlp", 0), ("logits", None)))
    site, _ = sender(e[0])
    with ap.lesioned(prep, ap.Edge(site, "unembed", time=[-1], kind="zero")):
        got = prep.run(TOKENS).outputs
    intact, cut = patched(plain, TOKENS, set()), patched(plain, TOKENS, {e})
    torch.testing.assert_close(got[:, -1], cut[:, -1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(got[:, :-1], intact[:, :-1], atol=1e-5, rtol=1e-5)
    heads = [e for e in edges if e[1] == ("q", 2, 1)]
    windows = [ap.Edge(*[sender(e[0])[0], "blocks.2.attn"], sender_units=sender(e[0])[1], receiver_units=1, slot="q",
                       time=[6], kind="zero") for e in heads]  # fmt: skip
    with ap.lesioned(prep, *windows):
        got = prep.run(TOKENS).outputs
    whole = patched(plain, TOKENS, set(heads))
    torch.testing.assert_close(got[:, 6], whole[:, 6], atol=2e-5, rtol=1e-5)  # queries of one position act there alone
    torch.testing.assert_close(got[:, :6], intact[:, :6], atol=1e-5, rtol=1e-5)


def test_gates_of_edges_give_their_gradient(network: Any) -> None:
    prep, plain, edges, _ = network
    game = ap.Game(prep, TOKENS, FIRST, prep.edges(), kind="zero", progress=False)
    gates = {e: torch.ones((), requires_grad=True) for e in edges}
    score = patched(plain, TOKENS, set(), gates=gates)[:, -1, 3].mean()
    expected = dict(zip(map(name, edges), torch.autograd.grad(score, list(gates.values()))))
    gradient = ap.attribution(game, method="gradient").values
    for edge_name, value in expected.items():
        assert float(gradient.sel(player=edge_name)) == pytest.approx(float(value), abs=1e-4, rel=1e-3)
    held = ap.Game(prep, TOKENS, FIRST, prep.edges(), kind="mean", progress=False)
    integrated = ap.attribution(held, steps=64)
    assert float(integrated.values.sum()) == pytest.approx(held.intact - held.lesioned, abs=1e-3)


def test_units_of_linear_layers_inside_a_transformer(network: Any) -> None:
    prep, plain, *_ = network
    edited = copy.deepcopy(plain)
    is_gpt2 = hasattr(plain, "transformer")
    out = edited.transformer.h[1].mlp.c_proj.weight if is_gpt2 else edited.model.layers[1].mlp.down_proj.weight.T
    out[5, 7] = 0.0
    heads = edited.transformer.h[2].attn.c_proj.weight if is_gpt2 else edited.model.layers[2].self_attn.o_proj.weight.T
    heads[8:16] = 0.0  # of the second head
    with ap.lesioned(
        prep,
        ap.Edge("blocks.1.mlp.hook_post", "blocks.1.mlp.out.hook_out", sender_units=5, receiver_units=7, kind="zero"),
        ap.Edge("blocks.2.attn.hook_z", "blocks.2.attn.o.hook_out", sender_units=[1], kind="zero"),
    ):  # fmt: skip
        torch.testing.assert_close(prep.run(TOKENS).outputs, edited(TOKENS).logits, atol=1e-5, rtol=1e-5)
    assert len(prep.edges("blocks.1.mlp.hook_post", "blocks.1.mlp.out.hook_out", group_by="sender")) == (
        prep.sites["blocks.1.mlp.hook_post"].n_units
    )


def test_what_is_no_edge_of_the_stream_is_told(network: Any) -> None:
    prep, *_ = network
    z = "blocks.1.attn.hook_z"
    wrong: list[tuple[ap.Edge, str]] = [
        (ap.Edge(z, "blocks.2.attn", kind="zero"), "say which: slot='q', 'k' or 'v'"),
        (ap.Edge(z, "blocks.1.attn", slot="q", kind="zero"), "not downstream"),
        (ap.Edge("blocks.1.hook_mlp_out", "blocks.1.mlp", kind="zero"), "not downstream"),
        (ap.Edge("blocks.1.ln1.hook_out", "blocks.2.mlp", kind="zero"), "no sender of the residual stream"),
        (ap.Edge(z, "blocks.2.attn.hook_pattern", kind="zero"), "no receiver of the residual stream"),
        (ap.Edge("blocks.0.hook_mlp_out", "blocks.2.mlp", sender_units=[3], kind="zero"), "leave sender_units= out"),
        (ap.Edge(z, "blocks.2.mlp", receiver_units=[3], kind="zero"), "leave receiver_units= out"),
        (ap.Edge(z, "blocks.2.mlp", slot="q", kind="zero"), "leave it out"),
        (ap.Edge(z, "blocks.2.attn", slot="q", receiver_units=[9], kind="zero"), "4 entries"),
    ]
    for edge, words in wrong:
        with pytest.raises((LesionError, InputError), match=words), ap.lesioned(prep, edge):
            pass
    with (
        pytest.raises(SiteError, match="heads are"),
        ap.lesioned(prep, ap.Edge("blocks.1.mlp", "unembed", kind="zero")),
    ):
        pass
    for name in ("blocks.1.hook_resid_mid",):
        assert prep.run(TOKENS, read=name).activity  # it may be read
        with (
            pytest.raises(SiteError, match="recorded but not lesioned"),
            ap.lesioned(prep, ap.Lesion(name, kind="zero")),
        ):
            pass
        with pytest.raises(SiteError, match="recorded but not lesioned"):
            prep.players("blocks.*.hook_resid_mid")
    assert prep.players("blocks.*.ln2.hook_in", group_by="site").names[0] == "blocks.0.ln2.hook_in"


def test_keys_and_values_are_named_by_their_group() -> None:
    prep = ap.wrap(llama())
    edge = ap.Edge("blocks.0.attn.hook_z", "blocks.1.attn", slot="k", receiver_units=[3], kind="zero")
    with (
        pytest.raises(LesionError, match=r"grouped queries.*belongs to group 1: receiver_units=\[1\]"),
        ap.lesioned(prep, edge),
    ):
        pass


def test_order_that_would_matter_is_refused(network: Any) -> None:
    prep, *_ = network
    edge = ap.Edge("blocks.0.attn.hook_z", "blocks.1.attn", slot="q", kind="zero")
    other = ap.Edge("blocks.0.hook_mlp_out", "blocks.1.attn", slot="q", kind="zero")
    read = [ap.Lesion(f"blocks.{site}", kind="zero") for site in ("0.hook_mlp_out", "0.attn.hook_z", "1.ln1.hook_in")]
    for inner in (other, *read):
        with ap.lesioned(prep, edge), pytest.raises(HookError, match="apply them together"), ap.lesioned(prep, inner):
            pass
    with ap.lesioned(prep, edge), ap.lesioned(prep, ap.Edge("blocks.0.hook_mlp_out", "blocks.1.mlp", kind="zero")):
        nested = prep.run(TOKENS).outputs
    with ap.lesioned(prep, edge, ap.Edge("blocks.0.hook_mlp_out", "blocks.1.mlp", kind="zero")):
        torch.testing.assert_close(prep.run(TOKENS).outputs, nested)


def test_what_lies_between_a_sender_and_the_stream_is_not_lesioned_meanwhile(network: Any) -> None:
    prep, *_ = network
    edge = ap.Edge("blocks.0.attn.hook_z", "blocks.1.attn", sender_units=[1], slot="q", kind="zero")
    for site in (
        "blocks.0.hook_attn_out",
        "blocks.0.hook_resid_post",
        "blocks.1.hook_resid_pre",
        "blocks.1.ln1.hook_out",
    ):
        between = ap.Lesion(site, kind="gain", gain=0.5)
        for a, b in ((edge, between), (between, edge)):
            with pytest.raises(HookError, match="cannot be combined"), ap.lesioned(prep, a, b):
                pass
            with ap.lesioned(prep, a), pytest.raises(HookError, match="cannot be combined"), ap.lesioned(prep, b):
                pass
    with ap.lesioned(prep, ap.Lesion("blocks.1.ln2.hook_in", kind="gain", gain=0.5), edge):
        assert prep.run(TOKENS).outputs.isfinite().all()


def test_a_circuit_of_stream_edges_is_lesioned_like_a_network(network: Any) -> None:
    prep, plain, edges, _ = network
    heads = [e for e in edges if e[1] == ("v", 1, 0)]
    players = [as_edge(e) for e in heads]
    game = ap.Game(prep, TOKENS, FIRST, players, kind="zero", progress=False)
    circuit = ap.minimal_circuit(game, holdout=None, faithfulness=0.5)
    alone = circuit.preparation()
    gone = {e for e, name in zip(heads, game.player_names) if name not in circuit.players}
    torch.testing.assert_close(alone.run(TOKENS).outputs, patched(plain, TOKENS, gone), atol=2e-5, rtol=1e-5)
    more = next(e for e in heads if e not in gone)
    with ap.lesioned(alone, as_edge(more), as_edge(next(iter(gone), more))):
        got = alone.run(TOKENS).outputs
    torch.testing.assert_close(got, patched(plain, TOKENS, {*gone, more}), atol=2e-5, rtol=1e-5)


def test_networks_without_such_a_stream_are_refused() -> None:
    torch.manual_seed(0)
    small = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "vocab_size": 50,
    }
    bert = ap.wrap(transformers.BertForMaskedLM(transformers.BertConfig(**small)).eval())
    edge = ap.Edge("blocks.0.attn.hook_z", "blocks.1.attn", slot="q", kind="zero")
    with pytest.raises(LesionError, match="not the sum of what the layers"), ap.lesioned(bert, edge):
        pass
    neox = transformers.GPTNeoXForCausalLM(transformers.GPTNeoXConfig(**small, use_parallel_residual=True)).eval()
    with pytest.raises(LesionError, match=r"not the sum|not known"), ap.lesioned(ap.wrap(neox), edge):
        pass
    for kind in (transformers.Olmo2Config, transformers.GraniteConfig, transformers.PhiConfig):
        prep = ap.wrap(transformers.AutoModelForCausalLM.from_config(kind(**small, pad_token_id=0)).eval())
        with pytest.raises(LesionError, match=r"not defined|not the sum"):
            prep.edges()
    assert bert.edges("blocks.0.attn.hook_z", "blocks.0.attn.o.hook_out", group_by="site").names
    inside = ap.Edge("blocks.0.attn.hook_z", "blocks.0.attn.o.hook_out", sender_units=[1], kind="zero")
    with ap.lesioned(bert, inside):
        cut = bert.run(TOKENS).outputs
    with ap.lesioned(bert, ap.Lesion("blocks.0.attn.hook_z", units=[1], kind="zero")):
        torch.testing.assert_close(bert.run(TOKENS).outputs, cut, atol=1e-5, rtol=1e-5)
