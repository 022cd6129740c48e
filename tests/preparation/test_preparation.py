"""Preparation: ownership, hooks, reads, writes, sites."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from fixtures.games import output_game
from fixtures.networks import X as TWELVE
from fixtures.networks import normal, small, two_layers
from torch import Tensor, nn

import artiphys as ap
from artiphys.errors import ArtiphysError, HookError, InputError, LesionError, SiteError
from artiphys.hooks.taps import At


def net() -> nn.Sequential:
    model: nn.Sequential = two_layers(3, 4, 2, act=nn.ReLU(inplace=True)).train()
    return model


X = normal(5, 3, seed=0)


def gpt2() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(n_layer=2, n_head=4, n_embd=32, vocab_size=50, n_positions=32)).eval()


TOKENS = torch.randint(0, 50, (3, 7), generator=torch.Generator().manual_seed(0))


def test_private_function_of_transformer_lens_is_where_we_expect_it() -> None:
    from transformer_lens.model_bridge.sources._bridge_builder import build_bridge_from_module

    assert callable(build_bridge_from_module)


def test_read_before_in_place_operation_keeps_negative_values() -> None:
    prep = ap.wrap(net(), X)
    got = prep.run(X, read=["0", "1"]).activity
    expected = nn.functional.linear(X, prep.model[0].weight, prep.model[0].bias)  # type: ignore[index]
    assert torch.equal(got["0"], expected) and bool((got["0"] < 0).any())
    assert torch.equal(got["1"], expected.relu())


def test_users_hooks_stay_in_order_and_reads_come_after_them() -> None:
    model = net()
    calls: list[str] = []
    handles = [model[1].register_forward_hook(lambda m, a, o, n=n: calls.append(n)) for n in "ab"]
    doubled = model[1].register_forward_hook(lambda m, a, o: o * 2)
    prep = ap.wrap(model, X)
    ids = list(model[1]._forward_hooks)
    after = prep.run(X, read="1").activity["1"]
    before = prep.run(X, read="1", when="before").activity["1"]
    assert torch.equal(after, before * 2)
    assert list(model[1]._forward_hooks) == ids == [h.id for h in [*handles, doubled]]
    assert calls[-2:] == ["a", "b"]


def test_read_sees_our_writes_unless_asked_before() -> None:
    prep = ap.wrap(net(), X)
    write = {"1": lambda x, at: x + 1}
    after = prep.run(X, read="1", write=write).activity["1"]
    before = prep.run(X, read="1", write=write, when="before").activity["1"]
    assert torch.equal(after, before + 1)


def test_a_lesion_taken_away_under_way_raises() -> None:
    prep = ap.wrap(net(), X)
    with pytest.raises(HookError, match="removed"), ap.lesioned(prep, ap.Lesion("1", kind="zero")):
        prep.model[1]._forward_hooks.clear()  # type: ignore[index]
    assert not prep.model[1]._forward_hooks  # type: ignore[index]


def test_reset_hooks_of_a_bridge_does_not_take_our_lesion_away() -> None:
    prep = ap.wrap(gpt2())
    with torch.no_grad(), ap.lesioned(prep, ap.Lesion("blocks.0.attn.hook_z", units=[1], kind="zero")):
        lesioned = prep.run(TOKENS).outputs
        prep.bridge.reset_hooks()
        assert torch.equal(prep.run(TOKENS).outputs, lesioned)
        assert torch.equal(prep.bridge(TOKENS), lesioned), "the bridge itself is lesioned too"


def test_hooks_of_a_bridges_user_stay_and_act_before_us() -> None:
    prep = ap.wrap(gpt2())
    point = prep.bridge.hook_dict["blocks.0.attn.hook_z"]
    with torch.no_grad():
        plain = prep.run(TOKENS, read="blocks.0.attn.hook_z").activity["blocks.0.attn.hook_z"]
        point.add_hook(lambda z, hook: z * 3)
        handles = list(point.fwd_hooks)
        with ap.lesioned(prep, ap.Lesion("blocks.0.attn.hook_z", units=[2], kind="gain", gain=2.0)):
            got = prep.run(TOKENS, read="blocks.0.attn.hook_z").activity["blocks.0.attn.hook_z"]
    torch.testing.assert_close(got[:, :, 2], 6 * plain[:, :, 2])
    torch.testing.assert_close(got[:, :, 1], 3 * plain[:, :, 1])
    assert point.fwd_hooks == handles


def test_wrapping_a_transformer_twice_and_unwrapping(caplog: pytest.LogCaptureFixture) -> None:
    model = gpt2()
    keys, before = list(model.state_dict()), model(TOKENS).logits
    attention = model.config._attn_implementation
    prep = ap.wrap(model)
    assert "takes this GPT2LMHeadModel over" in caplog.text
    assert ap.wrap(model) is prep and ap.wrap(prep.bridge) is prep and ap.wrap(prep) is prep
    assert list(model.state_dict()) != keys, "the bridge rewires a model; if not, this test is void"
    assert prep.unwrap() is model
    assert list(model.state_dict()) == keys and torch.equal(model(TOKENS).logits, before)
    assert model.config._attn_implementation == attention
    assert ap.wrap(model) is not prep


def test_time_windows_mean_the_same_when_generating_with_a_cache() -> None:
    prep = ap.wrap(gpt2())
    lesion = ap.Lesion("blocks.0.hook_resid_post", kind="zero", time=[1, 4])
    with torch.no_grad(), ap.lesioned(prep, lesion):
        whole = prep.model(TOKENS).logits
        cache, steps = None, []
        for part in (TOKENS[:, :3], *(TOKENS[:, t : t + 1] for t in range(3, 7))):
            out = prep.model(part, past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            steps.append(out.logits)
    torch.testing.assert_close(torch.cat(steps, dim=1), whole, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        assert not torch.allclose(prep.model(TOKENS).logits[:, 4:], whole[:, 4:], atol=1e-3)


def test_copy_leaves_the_model_alone() -> None:
    model = gpt2()
    keys = list(model.state_dict())
    ap.wrap(model, copy=True).run(TOKENS, read="blocks.0.attn.hook_z")
    assert list(model.state_dict()) == keys


def test_a_bridge_is_wrapped_as_it_is() -> None:
    from transformer_lens.model_bridge.sources._bridge_builder import build_bridge_from_module

    model = gpt2()
    model.set_attn_implementation("eager")
    bridge = build_bridge_from_module(model, "GPT2LMHeadModel", hf_config=model.config)
    prep = ap.wrap(bridge)
    with torch.no_grad():
        assert torch.equal(prep.run(TOKENS).outputs, bridge(TOKENS))
    assert prep.unwrap() is bridge


def test_bare_bert_is_refused_with_advice() -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(num_hidden_layers=1, num_attention_heads=2, hidden_size=8, intermediate_size=8, vocab_size=9)
    with pytest.raises(InputError, match="BertForMaskedLM"):
        ap.wrap(BertModel(config))


def test_grad_mode_is_obeyed() -> None:
    prep = ap.wrap(net(), X)
    activity = prep.run(X, read="1").activity["1"]
    assert activity.requires_grad
    torch.autograd.backward(activity.sum())
    assert prep.model[0].weight.grad is not None  # type: ignore[index]
    with torch.no_grad():
        assert not prep.run(X, read="1").activity["1"].requires_grad
    assert not ap.record(prep, X, "1")["1"].isnull().any() and torch.is_grad_enabled()


def test_inert_hooks_raise_and_wired_but_powerless_units_do_not() -> None:
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(num_hidden_layers=1, num_attention_heads=2, hidden_size=8, intermediate_size=8, vocab_size=9)
    prep = ap.wrap(BertForMaskedLM(config).eval())
    with pytest.raises(SiteError, match="inert"):
        prep.require_wired("blocks.0.attn.hook_pattern")
    with pytest.raises(SiteError, match="integers"):
        prep.require_wired("embed.hook_in")
    with pytest.raises(SiteError, match="does not fire"):
        prep.run(TOKENS % 9, read="blocks.0.attn.hook_result")
    toy = ap.wrap(ap.toys.load("epiphenomenal"))
    assert toy.require_wired("hidden").name == "hidden"
    for name in ap.toys.names():
        toy = ap.wrap(ap.toys.load(name))
        for player in toy.players(list(ap.toys.load(name).players)):
            toy.require_wired(player.targets[0].site)  # thresholds must not hide a unit


def test_mixtral_router_output_is_readable_but_inert() -> None:
    from transformers import MixtralConfig, MixtralForCausalLM

    torch.manual_seed(0)
    config = MixtralConfig(
        num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, hidden_size=8, intermediate_size=8,
        vocab_size=9, num_local_experts=4, num_experts_per_tok=2,
    )  # fmt: skip
    prep = ap.wrap(MixtralForCausalLM(config).eval())
    for name in ("blocks.0.mlp.gate.hook_out", "blocks.0.mlp.hook_expert_indices"):
        with pytest.raises(SiteError, match=r"inert|integers"):
            prep.require_wired(name)
    assert prep.require_wired("blocks.0.mlp.hook_expert_weights").unit_axis == "expert"


def test_aliases_are_one_site() -> None:
    prep = ap.wrap(gpt2())
    z = prep.sites["blocks.0.attn.hook_z"]
    assert prep.sites["blocks.0.attn.o.hook_in"] is z and z.axes == ("time", "head", "unit")
    assert z.sizes[1:] == (4, 8) and z.unit_axis == "head"
    both = prep.run(TOKENS, read=["blocks.0.attn.hook_z", "blocks.0.attn.o.hook_in"]).activity
    assert list(both) == ["blocks.0.attn.hook_z"]
    assert len(prep.sites) < len(prep.bridge.hook_dict)
    seq = ap.wrap(nn.Sequential(nn.Sequential(nn.Linear(3, 2)), nn.Identity()), X)
    assert seq.sites["0"].name == seq.sites["0.0"].name == seq.sites["output"].name == "0.0"


def test_patterns_and_unknown_sites() -> None:
    prep = ap.wrap(gpt2())
    assert [s.name for s in prep.sites.select("blocks.*.attn.hook_z")] == [f"blocks.{i}.attn.hook_z" for i in (0, 1)]
    assert len(prep.sites.select("blocks.1.**")) > 20
    with pytest.raises(SiteError, match=r"did you mean.*hook_z"):
        prep.run(TOKENS, read="blocks.0.attn.hook_zz")
    with pytest.raises(SiteError, match="no site matching"):
        prep.sites.select("blocks.*.nothing")
    assert "head 4" in repr(prep.sites)


def test_sites_without_example() -> None:
    prep = ap.wrap(net())
    with pytest.raises(SiteError, match="example="):
        prep.sites  # noqa: B018
    assert prep.run(X, read="1").activity["1"].shape == (5, 4)
    assert prep.sites["1"].sizes == (4,)


def test_axes_are_seen_from_the_batch_and_the_module() -> None:
    class TimeFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru, self.out = nn.GRU(3, 4), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return torch.as_tensor(self.out(self.gru(x.transpose(0, 1))[0]).transpose(0, 1))

    prep = ap.wrap(TimeFirst(), torch.randn(2, 6, 3))
    assert prep.sites["out"].axes == ("time", "unit") and prep.sites["out"].sizes == (6, 2)
    run = prep.run(torch.randn(5, 6, 3), read="out")
    torch.testing.assert_close(run.activity["out"], run.outputs)
    conv = ap.wrap(nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU(inplace=True)), torch.randn(2, 2, 8))
    assert conv.sites["1"].axes == ("channel", "time") and conv.sites["1"].unit_axis == "channel"
    assert not conv.sites["1"].guessed


def test_calls_of_one_module_are_sites_of_their_own() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.act = nn.Linear(3, 3), nn.Linear(3, 3), nn.Tanh()

        def forward(self, x: Tensor) -> Tensor:
            return torch.as_tensor(self.act(self.b(self.act(self.a(x)))))

    prep = ap.wrap(Twice(), X)
    got = prep.run(X, read=["act#0", "act#1"])
    assert torch.equal(got.activity["act#1"], got.outputs) and not torch.equal(got.activity["act#0"], got.outputs)
    with pytest.raises(SiteError, match="called 2 times"):
        prep.run(X, read="act")
    only_second = prep.run(X, read="act#0", write={"act#1": lambda x, at: x * 0})
    assert not only_second.outputs.any() and only_second.activity["act#0"].any()


def test_write_function_is_told_where_it_is() -> None:
    seen: list[At] = []

    def look(x: Tensor, at: At) -> Tensor:
        seen.append(at)
        return x

    prep = ap.wrap(nn.GRU(3, 4, batch_first=True), torch.randn(2, 5, 3))
    stimuli = ap.Stimuli(torch.randn(2, 5, 3), {"side": ["l", "r"]}, ids=[7, 9])
    prep.run(stimuli, write={"h0": look})
    assert [int(a.time[0]) for a in seen if a.time is not None] == [0, 1, 2, 3, 4]
    assert seen[0].axes == ("trial", "time", "unit") and seen[0].n_time == 5
    assert seen[0].trial is not None and seen[0].trial.tolist() == [7, 9]
    assert list(seen[0].conditions["side"]) == ["l", "r"]


@pytest.mark.parametrize("bad", [lambda x, at: x[:1], lambda x, at: x.double(), lambda x, at: None])
def test_write_of_another_shape_or_type_raises(bad: Any) -> None:
    prep = ap.wrap(net(), X)
    with pytest.raises(InputError, match="write function at '1'"):
        prep.run(X, write={"1": bad})
    assert not prep.model[1]._forward_hooks  # type: ignore[index]


def test_stop_at_ends_the_pass() -> None:
    model = net()
    reached: list[int] = []
    model[2].register_forward_hook(lambda m, a, o: reached.append(1))
    prep = ap.wrap(model, X)
    prep.sites  # noqa: B018
    reached.clear()
    run = prep.run(X, stop_at="1")
    assert run.outputs is None and list(run.activity) == ["1"] and not reached


def test_compiled_models_are_refused() -> None:
    with pytest.raises(InputError, match="compiled"):
        ap.wrap(torch.compile(net()), X)


@pytest.mark.parametrize("junk", ["a string", 3, None, {"a": 1}])
def test_wrapping_junk(junk: Any) -> None:
    with pytest.raises(InputError, match=r"wanted a torch\.nn\.Module"):
        ap.wrap(junk)


def test_left_and_right_padding_give_the_same_answer() -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, hidden_size=16, intermediate_size=16,
        vocab_size=50,
    )  # fmt: skip
    prep = ap.wrap(LlamaForCausalLM(config).eval())
    words = [[5, 6, 7, 8], [9, 10]]
    right = ap.Stimuli.from_tokens(words)
    ids = torch.tensor([[5, 6, 7, 8], [0, 0, 9, 10]])
    left = ap.Stimuli({"input_ids": ids, "attention_mask": (ids > 0).long()})
    with torch.no_grad():
        a, b = (prep.run(s, last_only=True).outputs for s in (right, left))
        alone = prep.run(torch.tensor([words[1]]), last_only=True).outputs
    torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(a[1:], alone, atol=1e-6, rtol=1e-5)


def test_fingerprint_follows_the_weights() -> None:
    prep = ap.wrap(net(), X)
    before = prep.fingerprint()
    assert before == ap.wrap(copy.deepcopy(prep.model), X).fingerprint() == prep.fingerprint()
    with torch.no_grad():
        prep.model[0].weight[0, 0] += 1  # type: ignore[index]
    assert prep.fingerprint() != before


def test_a_changed_weight_is_noticed_however_it_was_changed() -> None:
    prep = small()
    before, rec, g = prep.fingerprint(), ap.record(prep, TWELVE, "1"), output_game(prep)
    assert isinstance(g.intact, float)
    prep.model[0].weight.data += 1  # type: ignore[index]
    assert prep.fingerprint() != before != ap.record(prep, TWELVE, "1").attrs["model"]
    with pytest.raises(LesionError, match="make a new game"):
        g.intact  # noqa: B018
    with (
        pytest.raises(LesionError, match="another model"),
        ap.lesioned(prep, ap.Lesion("1", kind="mean", reference=rec)),
    ):
        pass


def test_train_mode_with_chance_or_batch_in_it_is_refused() -> None:
    for extra in (nn.BatchNorm1d(4), nn.Dropout(0.1)):
        prep = ap.wrap(nn.Sequential(nn.Linear(3, 4), extra, nn.Linear(4, 2)).train(), TWELVE)
        state = {n: b.clone() for n, b in prep.model.named_buffers()}
        for use in (
            lambda p: ap.record(p, TWELVE, "0"),
            lambda p: ap.Game(p, TWELVE, ap.scores.output(), p.players("0"), kind="zero"),
        ):
            with pytest.raises(InputError, match="eval"):
                use(prep)
        assert all(torch.equal(b, state[n]) for n, b in prep.model.named_buffers())
        prep.model.eval()
        assert ap.record(prep, TWELVE, "0").n_trials == 12


def test_an_unwrapped_preparation_says_so() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=9, n_positions=8)).eval()
    prep = ap.wrap(model)
    with pytest.raises(InputError, match=r"unwrap\(\) first"):
        ap.wrap(model, torch.tensor([[1, 2]]), as_module=True)
    prep.look()
    prep.unwrap()
    with pytest.raises(ArtiphysError, match="wrap the model again"):
        prep.run(torch.tensor([[1, 2]]))
