"""Preparation: a network that can be recorded from and lesioned, whatever it is made of."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from artiphys.adapters.adapter import Adapter, device_of
from artiphys.adapters.residual_stream import ResidualStream
from artiphys.border import border
from artiphys.errors import ArtiphysError, InputError, LesionError
from artiphys.hooks.batch_rows import Rows
from artiphys.hooks.changes import Changes, grad_enabled
from artiphys.hooks.hook_functions import is_ours
from artiphys.hooks.tapping import Tapping
from artiphys.hooks.taps import Write
from artiphys.players import Grouping, Players, players_of
from artiphys.preparation.discovered import Discovered
from artiphys.preparation.edge_players import EdgeGrouping, edge_players
from artiphys.preparation.identity import Identity
from artiphys.preparation.run import Run, check_request, n_times, read_run, require_right_type
from artiphys.preparation.steadiness import Steadiness
from artiphys.preparation.wiring import Wiring
from artiphys.sites import Site
from artiphys.stimuli import Inputs, Stimuli
from artiphys.third_party import UNSTEADY, forward_pre_hooks

When = Literal["after", "before"]


class Preparation(Discovered):
    """A network that can be recorded from and lesioned; made by `artiphys.wrap`.

    ``bridge`` is the TransformerBridge of a transformers model, for users of TransformerLens.
    """

    left_out: tuple[Any, ...] = ()  # edges that are always cut, of a circuit

    def __init__(self, adapter: Adapter, *, tokenizer: Any = None, bridge: Any = None) -> None:
        super().__init__(adapter)
        self.tokenizer, self.bridge = tokenizer, bridge
        self.on_unwrap: Callable[[], object] = lambda: None
        self._wiring = Wiring(adapter.root)
        self._steadiness = Steadiness(adapter.root)
        self.identity = Identity(adapter)
        self.unwrapped = False

    @property
    def stream(self) -> ResidualStream:
        """The residual stream of a transformer, checked on its example; `LesionError` for a network without."""
        if (found := self.discovery.stream) is None:
            read = lambda names: self.run(self.example, read=list(names)).activity
            with self.intact(), grad_enabled(False):
                self.discovery.stream = found = self.adapter.residual_stream(self.tap, read)
        return found

    def tapping(self, *, names: Sequence[str] = (), is_loop: bool = False) -> Tapping:
        """Hooks to plan reads and writes on; nothing is touched before it is entered."""
        unroll, mask_of_call = self.discovery.unroll, self.adapter.mask_of_call
        self.require_whole()
        return Tapping(self.model, self.frame, unroll, mask_of_call, names=names, is_loop=is_loop)

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
        """One forward pass, reading and writing sites on the way.

        Parameters
        ----------
        inputs : tensor, mapping of tensors or Stimuli
            Trials on axis 0.
        read : names or patterns
            Sites whose activity is wanted. Copies, after the user's hooks and all writes.
        write : mapping of site to function
            ``fn(x, at)`` gives a new tensor of the same shape and dtype; x is ``(trial, *site.axes)``.
            On step-by-step sites it is called once per step with a time axis of length 1.
        stop_at : str, optional
            End the pass once this site is computed; ``outputs`` is then None. The site is read too.
        when : "after" or "before"
            Read after hooks and writes, or the value before any of them.
        last_only : bool
            Outputs at each trial's last position only.

        Returns
        -------
        Run

        Raises
        ------
        SiteError, InputError
        """
        stimuli = Stimuli.of(inputs)
        check_request(read, write, stop_at, when)
        self.require_wrapped()
        if read or write or stop_at:
            self.look(stimuli.inputs)
        elif self._discovery is None and self._shown is None:
            self._shown = stimuli[: min(2, len(stimuli))].inputs
        wanted = [s.name for s in self.sites.select([read] if isinstance(read, str) else list(read))] if read else []
        stop = None if stop_at is None else self.sites.canonical(stop_at)
        if stop is not None and stop not in wanted:
            wanted.append(stop)
        if not wanted and not write:
            with self.frame.turns.take():
                return Run(self.forward(stimuli, last_only), {})
        tapping, taps = self.tapping(), {name: self.tap(name) for name in wanted}
        for name, fn in (write or {}).items():
            tapping.write(self.tap(name), fn)
        return read_run(tapping, taps, stop, when == "before", lambda: self.forward(stimuli, last_only))

    def forward(self, stimuli: Stimuli, last_only: bool) -> Any:
        """Outputs for stimuli, of which the hooks that are in place are told."""
        self.frame.announce(Rows(stimuli))
        try:
            return self.call(stimuli.inputs, last_only=last_only)
        except RuntimeError as error:
            require_right_type(error, stimuli.inputs)
            raise
        finally:
            self.frame.forget()

    def call(self, inputs: Inputs, *, last_only: bool = False, n_trials: int | None = None) -> Any:
        """The network's outputs for trials that were announced; for what runs it itself, such as a game."""
        # A site after the choice of the last positions would else hold these alone, and its times mean others.
        every = bool(self.frame.whole)
        return self.adapter.call(inputs, last_only=last_only, n_trials=n_trials, every_position=every)

    @border
    def players(
        self,
        sites: str | Sequence[str],
        *,
        units: Sequence[int] | None = None,
        axis: str | None = None,
        group_by: Grouping | Sequence[Sequence[int]] | None = None,
        stimuli: Stimuli | Inputs | None = None,
        windows: Sequence[tuple[int, int]] | None = None,
    ) -> Players:
        """Players of a game: one per unit (head, channel, expert) of the matching sites, or one per group.

        Along ``axis="time"`` as many as the ``stimuli`` have (the shortest trial, where they differ), or the named.
        With ``windows`` of time ``(start, stop)`` each of them is a player in every window.

        Examples
        --------
        >>> import artiphys as ap
        >>> ap.wrap(ap.toys.load("xor")).players("hidden")
        2 players: hidden.0, hidden.1
        """
        chosen = self.sites.select([sites] if isinstance(sites, str) else list(sites), lesioned=True)
        if axis == "time" and units is None and group_by is None and stimuli is not None:
            units = range(min(n_times(self.run, self.adapter, site, Stimuli.of(stimuli)) for site in chosen))
        return players_of(chosen, units=units, axis=axis, group_by=group_by, windows=windows)

    @border
    def edges(
        self,
        senders: str | Sequence[str] = "*",
        receivers: str | Sequence[str] = "*",
        *,
        group_by: EdgeGrouping | None = None,
    ) -> Players:
        """Players of a game: connections between units (heads, channels), which `artiphys.Edge` cuts.

        Parameters
        ----------
        senders, receivers : names or patterns
            Sites (``"*"``: all). A connection leads from the input of a linear layer, convolution or recurrent module
            to its output; in a transformer from what a head or MLP adds to the residual stream to a later head's
            queries, keys or values (``"blocks.*.attn.hook_q"``), MLP (``"blocks.*.ln2.hook_in"``) or readout
            (``"ln_final.hook_in"``), and those within a layer if senders are named.
        group_by : "sender", "receiver" or "site", optional
            One player for all connections of a unit to, or from, another site, or for all between two sites.
            Default: one for each pair of units.

        Examples
        --------
        >>> import artiphys as ap
        >>> ap.wrap(ap.toys.load("xor")).edges(group_by="site")
        2 players: sum.in → sum, hidden → readout
        """
        stream = None
        with contextlib.suppress(*(() if senders == "*" else (LesionError,))):  # inside its layers it may have some
            stream = self.stream if self.adapter.has_stream else None
        return edge_players(self.sites, self.discovery.connections, stream, senders, receivers, group_by)

    def require_wrapped(self) -> None:
        """`ArtiphysError` once the model was given back: its sites are then no longer there."""
        if self.unwrapped:
            raise ArtiphysError("this preparation was unwrapped; wrap the model again to go on")

    def require_steady(self, stimuli: Stimuli | None = None, model: str = "") -> str:
        """`InputError` if outputs are left to chance; how the network mixes the trials of a batch, "" if it does not.

        Some trials are run twice, and in parts, the first time that their form comes to the network ``model`` names.
        In train mode batch normalisation would also change its statistics for good.
        """
        for name, module in self.model.named_modules():
            if module.training and isinstance(module, UNSTEADY) and getattr(module, "p", 1.0) > 0:
                raise InputError(
                    f"the network is in train mode and {name!r} is a {type(module).__name__}: its activity depends on "
                    "chance or on the batch. Call model.eval() first"
                )
        if stimuli is None:
            return ""
        with grad_enabled(False):
            return self._steadiness.require(stimuli, (model, self.in_force), lambda some: self.run(some).outputs)

    @property
    def in_force(self) -> tuple[str, ...]:
        """Names of the writes that outlast a single run and act now (digests of lesions), in order of entry."""
        return self.frame.in_force

    @contextlib.contextmanager
    def intact(self) -> Iterator[None]:
        """While entered, lesions that are in force do nothing in this thread."""
        with Changes() as changes:
            changes.set(self.frame.suspended, object(), threading.get_ident())
            yield

    def require_wired(self, name: str) -> Site:
        """The site, if writing to it can reach the output; checked once by writing NaN there.

        Raises
        ------
        SiteError
            If the site is inert: it can be read, but what is written there is ignored.
        """
        self.sites.require_writable(name)
        site = self.sites[name]
        state = lambda: (self.fingerprint(), self.in_force)
        self._wiring.require(site, lambda write: self.run(self.example, write=write), state)
        return site

    def fingerprint(self) -> str:
        """Digest of what the network computes: weights, and classes, code, attributes and hooks of its modules."""
        with self.frame.turns.held():  # no other thread puts hooks on meanwhile
            return self.identity.fingerprint()

    def unwrap(self) -> Any:
        """The network as it was before it was wrapped; the preparation must not be used afterwards."""
        if any(is_ours(h) for h in forward_pre_hooks(self.model).values()):
            raise ArtiphysError("a lesion is in force; leave ap.lesioned before unwrapping")
        model = self.adapter.unwrap()
        self.on_unwrap()
        self.unwrapped = self.bridge is not None
        return model

    def __reduce__(self) -> Any:
        raise ArtiphysError("a preparation is not copied or pickled: unwrap the network, copy that and wrap the copy")

    def __repr__(self) -> str:
        kind = type(self.model).__name__
        known = f"{len(self._sites)} sites" if self._discovery else "sites not looked at yet"
        owned = ", taken over until unwrap()" if self.bridge is not None else ""
        return f"Preparation({kind} on {device_of(self.model)}, {known}{owned})"
