"""Identity: the fingerprint of what a network computes, worked out anew when something of it has changed."""

from __future__ import annotations

from artiphys.adapters.adapter import Adapter
from artiphys.digests import quick_state, tensors_of, weights_digest
from artiphys.errors import InputError
from artiphys.structure import Structure


class Identity:
    """The fingerprint of one network, remembered while a cheap check finds nothing changed."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self._known: tuple[object, str] | None = None

    def fingerprint(self) -> str:
        """Digest of weights, a dash, and a digest of classes, code, attributes and hooks."""
        model = self.adapter.root
        tensors, structure = tensors_of(model), Structure(model)
        state = (quick_state(tensors), structure.words)
        if self._known is None or self._known[0] != state:
            weights = weights_digest(model, tensors, self.adapter.version)
            self._known = (state, f"{weights}-{structure.digest()}")
        return self._known[1]

    def require_named(self) -> None:
        """`InputError` if something of the network has no name that would tell it from another, on disk."""
        unnamed = Structure(self.adapter.root).unnamed
        if unnamed:
            raise InputError(
                f"values of this network cannot be kept on disk: {'; '.join(unnamed[:3])}, which has no name that "
                "tells it from another. Use functions and classes of a module of their own, or leave cache= out"
            )
