"""One suite over every adapter: what is read is what is computed, and every write is undone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import artiphys as ap
from artiphys.hooks.taps import At
from artiphys.stimuli import Inputs

Case = Any
RESIDUAL = "blocks.0.hook_resid_post"


def hooks(model: nn.Module) -> list[tuple[str, list[int], list[int]]]:
    return [(n, list(m._forward_hooks), list(m._forward_pre_hooks)) for n, m in model.named_modules()]


def raw(run: Any) -> Tensor:
    out = run.outputs
    if isinstance(out, dict):
        out = next(iter(out.values()))
    return torch.as_tensor(out[0] if isinstance(out, tuple) else out).cpu()


def rows(inputs: Inputs, index: Any) -> Inputs:
    return {k: v[index] for k, v in inputs.items()} if isinstance(inputs, dict) else inputs[index]


def test_what_is_read_is_what_the_bare_model_computes(case: Case) -> None:
    expected = case.read(case.on_cpu().model(), case.inputs)
    prep = case.wrap(case.model())
    site = RESIDUAL if prep.bridge is not None else case.site
    with torch.no_grad():
        got = prep.run(case.inputs, read=site).activity[prep.sites[site].name].cpu()
    assert got.shape == expected.shape
    torch.testing.assert_close(got, expected, atol=case.tolerance, rtol=case.tolerance)


def test_outputs_are_the_bare_models(case: Case) -> None:
    expected = case.on_cpu().bare(case.on_cpu().model())
    prep = case.wrap(case.model())
    with torch.no_grad():
        got = raw(prep.run(case.inputs, read=case.site))
    torch.testing.assert_close(got, expected, atol=case.tolerance, rtol=case.tolerance)


def test_zero_lesion_is_the_weight_edit(case: Case) -> None:
    expected = case.edited()
    prep = case.wrap(case.model())
    with torch.no_grad(), ap.lesioned(prep, ap.Lesion(case.site, units=[case.unit], kind="zero")):
        got = raw(prep.run(case.inputs))
    torch.testing.assert_close(got, expected, atol=case.tolerance, rtol=case.tolerance)
    intact = case.on_cpu().bare(case.on_cpu().model())
    assert not torch.allclose(got, intact, atol=1e-4), "the lesion must do something here"


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
def test_afterwards_bit_identical_and_no_hook_left(case: Case, error: type[BaseException] | None) -> None:
    prep = case.wrap(case.model())
    prep.sites  # noqa: B018  (looking is not what is tested)
    before_hooks, forwards = hooks(prep.model), [m.__dict__.get("forward") for m in prep.model.modules()]
    with torch.no_grad():
        before = raw(prep.run(case.inputs))
        lesion = ap.Lesion(case.site, units=[case.unit], kind="zero")
        if error is None:
            with ap.lesioned(prep, lesion):
                assert not torch.equal(raw(prep.run(case.inputs)), before)
        else:

            def fail(x: Tensor, at: At) -> Tensor:
                raise error

            with pytest.raises(error), ap.lesioned(prep, lesion):
                prep.run(case.inputs, write={case.site: fail})
        assert torch.equal(raw(prep.run(case.inputs)), before)
    assert hooks(prep.model) == before_hooks
    assert [m.__dict__.get("forward") for m in prep.model.modules()] == forwards


def test_nested_lesions_compose(case: Case) -> None:
    prep = case.wrap(case.model())
    one, two = (ap.Lesion(case.site, units=[u], kind="zero") for u in (case.unit, 0))
    with torch.no_grad():
        with ap.lesioned(prep, ap.Lesion(case.site, units=[case.unit, 0], kind="zero")):
            together = raw(prep.run(case.inputs))
        with ap.lesioned(prep, one):
            alone = raw(prep.run(case.inputs))
            with ap.lesioned(prep, two):
                assert torch.equal(raw(prep.run(case.inputs)), together)
            assert torch.equal(raw(prep.run(case.inputs)), alone)


def test_modes_are_as_found(case: Case) -> None:
    model = case.model()
    model.train()
    for p in model.parameters():
        p.requires_grad_(True)
    prep = case.wrap(model)
    state = {n: b.clone() for n, b in prep.model.named_buffers()}
    random = torch.random.get_rng_state()
    prep.require_wired(case.site)
    assert torch.equal(torch.random.get_rng_state(), random)
    assert prep.model.training and torch.is_grad_enabled()
    for n, b in prep.model.named_buffers():
        assert torch.equal(b, state[n]), f"looking changed {n}"
    out = raw(prep.run(case.inputs, read=case.site))
    assert out.requires_grad and not out.is_inference()
    assert {p.dtype for p in prep.model.parameters()} == {torch.float32}


def test_half_precision(case: Case) -> None:
    prep = case.wrap(case.on_cpu().model().to(torch.bfloat16).to(case.device))
    inputs = case.inputs if case.inputs.dtype == torch.long else case.inputs.to(torch.bfloat16)
    if case.inputs.dtype != torch.long:
        prep = ap.wrap(case.on_cpu().model().to(torch.bfloat16).to(case.device), inputs)
    with torch.no_grad(), ap.lesioned(prep, ap.Lesion(case.site, units=[case.unit], kind="zero")):
        run = prep.run(inputs, read=case.site)
    name = prep.sites[case.site].name
    # A site keeps the model's own type (Mixtral weighs its experts in float32).
    dtype = prep.sites[name].dtype
    assert run.activity[name].dtype == dtype and raw(run).dtype == torch.bfloat16
    axis = 1 + prep.sites[name].axis(prep.sites[name].unit_axis)
    assert not run.activity[name].cpu().select(axis, case.unit).any()
    rec = ap.record(prep, inputs, name)
    assert rec[name].dtype == "float32" and f"torch.{rec[name].attrs['dtype']}" == str(dtype)


def test_batch_size_one(case: Case) -> None:
    prep = case.wrap(case.model())
    with torch.no_grad():
        whole = prep.run(case.inputs, read=case.site).activity[prep.sites[case.site].name]
        one = prep.run(rows(case.inputs, slice(1, 2)), read=case.site).activity[prep.sites[case.site].name]
    torch.testing.assert_close(one.cpu(), whole[1:2].cpu(), atol=1e-5, rtol=1e-5)


def test_games_of_several_coalitions_equal_one_at_a_time(case: Case) -> None:
    prep = case.wrap(case.model())

    def score(outputs: Any, trials: ap.Stimuli) -> Tensor:
        out = next(iter(outputs.values())) if isinstance(outputs, dict) else outputs
        out = out[0] if isinstance(out, tuple) else out
        return torch.as_tensor(out).flatten(1).double().mean(dim=1)

    players = prep.players(case.site, units=[0, 1, 2])
    coalitions = [[bool(i & 4), bool(i & 2), bool(i & 1)] for i in range(8)]
    make: Any = lambda n: ap.Game(prep, case.inputs, score, players, kind="mean", batch_size=n)
    together, apart = make(64)(coalitions), make(1)(coalitions)
    assert together == pytest.approx(apart, rel=1e-4, abs=1e-6)
    assert len(set(together.round(9))) > 4
