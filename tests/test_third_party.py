"""What artiphys takes from other libraries under private names is there and means what it is taken for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from artiphys import third_party


def test_torch_counts_edits_in_place() -> None:
    t = torch.zeros(3)
    before = third_party.edit_count(t)
    t += 1
    assert third_party.edit_count(t) == before + 1
    t.data.add_(1)  # edits through .data are not counted
    assert third_party.edit_count(t) == before + 1
    with torch.inference_mode():
        assert third_party.edit_count(torch.zeros(3)) == -1


def test_torch_tells_hooks_of_every_module() -> None:
    handle = nn.modules.module.register_module_forward_hook(print)
    assert print in third_party.hooks_of_every_module()
    handle.remove()
    assert print not in third_party.hooks_of_every_module()


def test_torchs_own_tables_of_a_module_hold_nothing_of_the_users() -> None:
    assert set(nn.Linear(2, 2).__dict__) - third_party.MODULE_TABLES == {"in_features", "out_features"}
    gru = nn.GRU(2, 2)
    assert {"_flat_weights", "_flat_weight_refs"} <= set(gru.__dict__), "they are still there to be left out"
    held = [gru.__dict__[name] for name in set(gru.__dict__) - third_party.MODULE_TABLES]
    assert not any(isinstance(v, torch.Tensor) for values in held if isinstance(values, list) for v in values)


def test_a_hook_is_found_and_taken_off_with_all_that_torch_notes_of_it() -> None:
    module = nn.Linear(2, 2)

    def hook(*args: object) -> None: ...

    empty = {k: dict(v) for k, v in module.__dict__.items() if "_hooks" in k}
    module.register_forward_pre_hook(hook, with_kwargs=True)
    module.register_forward_hook(hook, with_kwargs=True, always_call=True)
    assert third_party.is_hooked(module, hook)
    third_party.remove_forward_hook(module, hook)
    assert not third_party.is_hooked(module, hook)
    assert {k: dict(v) for k, v in module.__dict__.items() if "_hooks" in k} == empty


def test_transformers_makes_frames_of_a_mask_of_samples() -> None:
    from fixtures.families import FAMILIES

    family = FAMILIES["HubertForCTC"]
    model, n = family.make(), family.inputs()["input_values"].shape[1]
    mask = torch.ones(2, n).long()
    mask[0, n // 2 :] = 0
    with torch.no_grad():
        n_frames = model(**family.inputs()).logits.shape[1]
    frames = third_party.frame_mask(model, n_frames, mask)
    assert frames is not None and frames.shape == (2, n_frames) and bool(frames[1].all()) and not bool(frames[0].all())
    assert third_party.frame_mask(nn.Linear(2, 2), 3, mask) is None


def test_torch_keeps_hooks_by_id_in_their_order() -> None:
    module = nn.ReLU()
    for register, table in (
        (module.register_forward_hook, third_party.forward_hooks(module)),
        (module.register_forward_pre_hook, third_party.forward_pre_hooks(module)),
    ):
        first = register(lambda *args: None)
        second = register(lambda *args: None, prepend=True)
        assert list(table) == [second.id, first.id]
        first.remove()
        assert list(table) == [second.id]
        second.remove()


def test_torch_keeps_buffers_by_name() -> None:
    norm = nn.BatchNorm1d(2)
    third_party.buffers_of(norm)["running_mean"] = torch.ones(2)
    assert norm.running_mean is not None and norm.running_mean.tolist() == [1, 1]


def test_torchs_unsteady_modules_are_known_by_two_base_classes() -> None:
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.Dropout, nn.Dropout2d, nn.AlphaDropout)
    assert all(issubclass(k, third_party.UNSTEADY) for k in kinds)
    assert not any(issubclass(k, third_party.UNSTEADY) for k in (nn.LayerNorm, nn.Linear))


def test_twins_of_modules_share_weights_and_nothing_else() -> None:
    net: Any = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.Linear(2, 1)))
    before = [(m, third_party.module_state(m.__dict__)) for m in net.modules()]
    x, expected = torch.ones(3, 2), net(torch.ones(3, 2))
    net[1][1] = nn.Linear(2, 5)
    net.register_forward_hook(lambda module, args, output: output * 0)
    twin: Any = third_party.twins_of(before)[id(net)]
    assert torch.equal(twin(x), expected) and twin is not net
    assert {id(p) for p in twin.parameters()} >= {id(p) for p in net[0].parameters()}


def test_transformers_configs_name_the_attention_implementation() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=9, n_positions=8))
    model.set_attn_implementation("eager")
    assert third_party.attention_implementation(model.config) == "eager"
    third_party.set_attention_implementation(model.config, "sdpa")
    assert third_party.attention_implementation(model.config) == "sdpa"
    assert third_party.attention_implementation(None, "") == ""


def test_transformer_lens_builds_a_bridge_around_a_module() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=9, n_positions=8)).eval()
    assert {"GPT2LMHeadModel", "LlamaForCausalLM", "BertForMaskedLM"} <= set(third_party.supported_architectures())
    model.set_attn_implementation("eager")
    bridge = third_party.build_bridge(model, "GPT2LMHeadModel", None)
    assert bridge.original_model is model and "blocks.0.attn.hook_z" in bridge.hook_dict


def test_xarray_tells_what_is_in_memory(tmp_path: Path) -> None:
    data = xr.DataArray(np.zeros((2, 3)), dims=("trial", "unit"), name="activity")
    assert third_party.is_in_memory(data)
    data.to_dataset().to_zarr(tmp_path / "a.zarr", consolidated=False)
    on_disk = xr.open_dataset(tmp_path / "a.zarr", engine="zarr", consolidated=False)["activity"]
    assert not third_party.is_in_memory(on_disk)


def test_executors_tell_their_workers() -> None:
    with ThreadPoolExecutor(3) as pool:
        assert third_party.worker_count(pool) == 3 and third_party.dask_client(pool) is None
    assert third_party.worker_count(object()) == 4


@pytest.mark.slow
def test_dask_executors_stand_for_their_client() -> None:
    distributed: Any = pytest.importorskip("distributed")
    with distributed.Client(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as client:
        assert third_party.dask_client(client) is client
        assert third_party.dask_client(client.get_executor()) is client
        assert third_party.worker_count(client) == 2


def test_scipys_lapack_is_reached_by_pointers() -> None:
    """dpotrf of [[4, 2], [2, 3]] is [[2, 0], [1, sqrt 2]]."""
    a = np.array([[4.0, 2.0], [2.0, 3.0]], order="F")
    n, info, lower = np.array(2, np.int32), np.array(0, np.int32), np.array(b"L")
    pointers = [v.ctypes.data for v in (lower, n, a, n, info)]
    third_party.lapack_routine("dpotrf", 5)(*pointers)
    assert info == 0 and np.tril(a) == pytest.approx(np.array([[2, 0], [1, np.sqrt(2)]]))
