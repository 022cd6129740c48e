"""Keys: short names of coalitions, within one game, and on disk across games and runs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from artiphys.array_types import Array
from artiphys.lesions.operations.interventions import AnyWriter, single_edges
from artiphys.lesions.operations.lesion import Lesion
from artiphys.lesions.operations.writer import Writer

N_WORDS = 4
MAX_KEY_BYTES = 64  # of a coalition as bits; longer ones are digested
N_AT_ONCE = 4096  # coalitions whose sums are worked out together


def keys_of(coalitions: Array) -> list[bytes]:
    """One short key per coalition (bool ``(n, player)``).

    >>> keys_of(np.array([[True, False], [True, False]])) == [bytes([128])] * 2
    True
    """
    packed = np.ascontiguousarray(np.packbits(coalitions, axis=1))
    if packed.shape[1] > MAX_KEY_BYTES:
        return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in packed]
    found: list[bytes] = packed.view(f"V{packed.shape[1]}").ravel().tolist()
    return found


def lesion_words(players: Sequence[Sequence[AnyWriter]]) -> Array:
    """Sum of the digests of what each player lesions ``(player, word)``, uint64.

    Lesions act unit by unit (but for projections), so a player of two units stands for the same as two
    players of one. Sums do not depend on order: lesioning the same units is the same key, whoever lesions
    them.
    """
    return np.array([[sum(c) % 2**64 for c in zip(*(w for p in parts for w in _words(p)))] for parts in players],
                    dtype=np.uint64)  # fmt: skip


def lesion_keys(cut: Array, words: Array, also: Sequence[str] = ()) -> list[bytes]:
    """One key per coalition (bool ``(n, player)``, True = lesioned); ``also`` are lesions in force around it."""
    extra = "|".join(also).encode()
    keys: list[bytes] = []
    for start in range(0, len(cut), N_AT_ONCE):
        with np.errstate(over="ignore"):
            sums = cut[start : start + N_AT_ONCE].astype(np.uint64) @ words
        keys += [hashlib.blake2b(row.tobytes() + extra, digest_size=16).digest() for row in sums]
    return keys


def _words(writer: AnyWriter) -> list[tuple[int, ...]]:
    if not isinstance(writer, Writer):
        return [_split(edge) for edge in single_edges(writer)]
    lesion, axis, site = writer.lesion, writer.unit_axis, writer.site.name
    if lesion.kind == "project" or axis is None:
        return [_split(lesion.changed(site=site))]
    if isinstance(lesion.gain, tuple):
        return [_split(lesion.changed(site=site, units=(u,), axis=axis, gain=g)) for u, g in writer.gains().items()]
    return [_split(lesion.changed(site=site, units=(u,), axis=axis)) for u in writer.units()]


def _split(lesion: Lesion) -> tuple[int, ...]:
    raw = hashlib.blake2b(lesion.digest().encode(), digest_size=8 * N_WORDS).digest()
    return tuple(int.from_bytes(raw[8 * i : 8 * i + 8], "little") for i in range(N_WORDS))
