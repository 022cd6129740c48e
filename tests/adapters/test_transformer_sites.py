"""Axes of transformers' sites: no head is a time, no choice an expert, no block's output its neurons."""

from __future__ import annotations

import pytest
import torch
from fixtures.families import FAMILIES

import artiphys as ap
from artiphys.errors import InputError, SiteError


def wrapped(name: str) -> ap.Preparation:
    return ap.wrap(FAMILIES[name].make(), FAMILIES[name].inputs())


@pytest.mark.parametrize(
    ("family", "site", "axes", "sizes"),
    [
        ("Qwen3ForCausalLM", "attn.hook_q_normed", ("head", "time", "unit"), (4, 7, 12)),
        ("Qwen3ForCausalLM", "attn.k_norm.hook_in", ("head", "time", "unit"), (2, 7, 12)),
        ("Gemma3ForCausalLM", "attn.q_norm.hook_out", ("head", "time", "unit"), (4, 7, 8)),
        ("DeepseekV3ForCausalLM", "attn.hook_q", ("head", "time", "unit"), (4, 7, 10)),
        ("DeepseekV3ForCausalLM", "attn.hook_v", ("head", "time", "unit"), (4, 7, 5)),
        ("DeepseekV3ForCausalLM", "attn.hook_z", ("time", "head", "unit"), (7, 4, 5)),
        ("LlamaForCausalLM", "attn.hook_pattern", ("head", "time", "key"), (4, 7, 7)),
        ("MixtralForCausalLM", "mlp.hook_expert_weights", ("time", "expert"), (7, 4)),
    ],
)
def test_axes(family: str, site: str, axes: tuple[str, ...], sizes: tuple[int, ...]) -> None:
    found = wrapped(family).sites[f"blocks.0.{site}"]
    assert (found.axes, found.sizes, found.unit_axis) == (axes, sizes, "expert" if "expert" in axes else "head")


def test_a_lesion_of_a_normed_head_is_of_the_head() -> None:
    family = FAMILIES["Qwen3ForCausalLM"]
    prep, x = wrapped("Qwen3ForCausalLM"), family.inputs()["input_ids"]
    site = "blocks.0.attn.hook_q_normed"
    with torch.no_grad():
        expected = prep.run(x, write={site: lambda q, at: torch.where(torch.arange(4)[:, None, None] == 1, 0.0, q)})
        with ap.lesioned(prep, ap.Lesion(site, units=[1], kind="zero")):
            assert torch.equal(prep.run(x).outputs, expected.outputs)
            later = prep.run(x[:, :4]).outputs
    assert later.shape[1] == 4


def test_the_whole_blocks_output_is_no_neurons_of_a_mixture_of_experts() -> None:
    sites = wrapped("MixtralForCausalLM").sites
    for name, whole in (("mlp.hook_post", "mlp.hook_out"), ("mlp.hook_pre", "mlp.hook_in")):
        with pytest.raises(SiteError, match=f"not its neurons.*{whole}"):
            sites[f"blocks.0.{name}"]
        assert sites[f"blocks.0.{whole}"].n_units == 32
    assert wrapped("LlamaForCausalLM").sites["blocks.0.mlp.hook_post"].n_units == 48


def test_weights_of_chosen_experts_are_no_experts() -> None:
    prep = wrapped("GraniteMoeForCausalLM")
    site = prep.sites["blocks.0.mlp.hook_expert_weights"]
    assert site.axes == ("time", "choice") and not site.unit_known
    with pytest.raises(InputError, match="not known which holds the units"):
        prep.players(site.name)


def test_a_hook_that_fires_twice_has_a_site_a_call() -> None:
    sites = wrapped("LongT5ForConditionalGeneration-global").sites
    name = "encoder_blocks.0.attn.k.hook_in"
    assert sites[f"{name}#0"].axes == ("time", "unit") and sites[f"{name}#1"].axes == ("position", "unit")
    with pytest.raises(SiteError, match=r"called 2 times.*#0"):
        sites[name]


def test_merged_rows_are_told_apart_but_for_rounding() -> None:
    sites = wrapped("MixtralForCausalLM").sites
    assert {f"blocks.{i}.mlp.hook_expert_weights" for i in (0, 1)} <= set(sites)
