"""A circuit as a preparation: the network in which all players outside the circuit are lesioned for good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from artiphys.adapters.residual_stream import ResidualStream
from artiphys.errors import ArtiphysError
from artiphys.hooks.tapping import Tapping
from artiphys.hooks.taps import Write
from artiphys.lesions.operations.interventions import AnyWriter, Interventions
from artiphys.lesions.operations.writer import Writer
from artiphys.preparation.preparation import Preparation, When
from artiphys.preparation.run import Run
from artiphys.stimuli import Inputs, Stimuli


class CircuitPreparation(Preparation):
    """A network of which a circuit alone works; made by `Circuit.preparation`.

    It is recorded from, probed and lesioned like any other, and shares the network with the preparation it came from,
    which stays intact. A call of the model itself, past this preparation, is intact too. Lesions of this network act
    after those outside the circuit: of a unit outside it the later one is what counts. Connections outside it stay cut.
    """

    def __init__(self, whole: Preparation, outside: Sequence[AnyWriter]) -> None:
        super().__init__(whole.adapter, tokenizer=whole.tokenizer, bridge=whole.bridge)
        self.whole, self._outside = whole, Interventions(whole, [outside])
        self.left_out = tuple(w for w in outside if not isinstance(w, Writer))
        self._outside.lesion(torch.ones(1, 1, dtype=torch.bool))
        self._names = tuple(sorted(w.lesion.digest() for w in outside))

    def tapping(self, *, names: Sequence[str] = (), is_loop: bool = False) -> Tapping:
        """Hooks to plan reads and writes on, after those that lesion what lies outside the circuit."""
        tapping = super().tapping(names=names, is_loop=is_loop)
        # Once, before everything else: what outlasts a run has it around all runs inside.
        if not self.frame.lasting or self.frame.is_suspended:
            self._outside.plan(tapping)
        return tapping

    def run(
        self,
        inputs: Inputs | Stimuli,
        read: str | Sequence[str] = (),
        write: Mapping[str, Write] | None = None,
        stop_at: str | None = None,
        *,
        when: When = "after",
        last_only: bool = False,
    ) -> Run:
        """One forward pass of the circuit; as `Preparation.run`."""
        if read or write or stop_at:
            return super().run(inputs, read, write, stop_at, when=when, last_only=last_only)
        self.require_wrapped()
        with self.tapping():
            return Run(self.forward(Stimuli.of(inputs), last_only), {})

    @property
    def stream(self) -> ResidualStream:
        """The residual stream of the whole network."""
        return self.whole.stream

    @property
    def in_force(self) -> tuple[str, ...]:
        """Digests of what lies outside the circuit, then of lesions that act now."""
        return (*self._names, *super().in_force)

    def unwrap(self) -> Any:
        """Refused: the network belongs to the preparation that the circuit came from."""
        raise ArtiphysError("a circuit shares its network with the preparation it came from; unwrap that one")

    def __repr__(self) -> str:
        return f"Circuit of {self.whole!r}: {len(self._names)} lesions outside it"
