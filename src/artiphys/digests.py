"""Digests of tensors, and of the weights of a network."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Hashable, Sequence

import torch
from torch import Tensor, nn

from artiphys.third_party import attention_implementation, edit_count

logger = logging.getLogger("artiphys")
NamedTensors = Sequence[tuple[str, Tensor]]


def same_network(one: str, other: str) -> bool:
    """Whether two fingerprints are of one network. Those of version 0.2 and before are of weights alone.

    >>> same_network("w-s", "w-s"), same_network("w-s", "w-t"), same_network("w", "w-t")
    (True, False, True)
    """
    if "-" in one and "-" in other:
        return one == other
    same = one.partition("-")[0] == other.partition("-")[0]
    if same:
        logger.warning("this was made by a version that noted the network's weights alone, and not its code")
    return same


def tensor_bytes(t: Tensor) -> bytes | memoryview:
    """The bytes of a tensor of any dtype and layout, for digests."""
    parts = _strided(t)
    if len(parts) > 1:
        return b"".join(bytes(tensor_bytes(p)) for p in parts)
    flat = parts[0].detach().cpu().contiguous().flatten()
    return memoryview(flat.view(torch.uint8).numpy().data) if flat.numel() else memoryview(b"")


def _strided(t: Tensor) -> list[Tensor]:
    """The ordinary tensors that hold a sparse or quantised one."""
    if t.is_quantized:
        return [t.detach().int_repr(), torch.tensor([t.q_scale(), t.q_zero_point()]) if _per_tensor(t) else
                torch.cat([t.q_per_channel_scales().double(), t.q_per_channel_zero_points().double()])]  # fmt: skip
    if t.layout == torch.strided:
        return [t]
    whole = t.detach().coalesce() if t.layout == torch.sparse_coo else t.detach()
    if t.layout == torch.sparse_coo:
        return [whole.indices(), whole.values()]
    return [whole.to_dense()]


def _per_tensor(t: Tensor) -> bool:
    return t.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric)


def identical(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors of any layout hold the same."""
    return all(torch.equal(x, y) for x, y in zip(_strided(a), _strided(b)))


def word_sum(t: Tensor) -> int:
    """Sum of a tensor's bytes as 64-bit words, wrapping: a fast check for change, at memory speed."""
    parts = _strided(t)
    if len(parts) > 1:
        return sum(word_sum(p) for p in parts)
    flat = parts[0].detach().contiguous().flatten().view(torch.uint8)
    whole = len(flat) // 8 * 8
    if flat.storage_offset() % 8:
        flat = flat.clone()  # words must be aligned
    # On the tensor's own device: a model on a GPU is not copied to be looked at.
    return int(flat[:whole].view(torch.int64).sum()) + int(flat[whole:].long().sum())


def tensors_of(model: nn.Module) -> NamedTensors:
    """All parameters and buffers (a bridge's state_dict drops some)."""
    return [*model.named_parameters(), *model.named_buffers()]


def quick_state(tensors: NamedTensors) -> Hashable:
    """What surely changes when a tensor does, at memory speed; good within one process only."""
    # Edits through .data leave no version behind, so the words of each tensor are summed as well.
    return tuple(
        (n, _strided(t)[0].data_ptr() if t.layout == torch.strided else 0, edit_count(t), tuple(t.shape), word_sum(t))
        for n, t in tensors
    )


def weights_digest(model: nn.Module, tensors: NamedTensors, adapter_version: str) -> str:
    """Digest of all parameters and buffers, their dtype, the attention implementation and the adapter."""
    h = hashlib.blake2b(adapter_version.encode(), digest_size=16)
    h.update(str(attention_implementation(getattr(model, "config", None), "")).encode())
    for name, t in sorted(tensors, key=lambda pair: pair[0]):
        h.update(f"{name}{t.dtype}{tuple(t.shape)}".encode())
        h.update(tensor_bytes(t))
    return h.hexdigest()
