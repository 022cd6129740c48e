"""The preparation: one network on the rig, whatever it is made of."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from artiphys.adapters.adapter import Adapter, Discovery, device_of, rows_of, without_trace
from artiphys.errors import ArtiphysError, InputError, SiteError
from artiphys.hooks.batch_rows import Rows
from artiphys.hooks.tapping import At, Frame, StopForwardError, Tapping, Write, is_ours, leaves
from artiphys.players import Grouping, Players, players_of
from artiphys.sites import Site, Sites
from artiphys.stimuli import Inputs, Stimuli, tensor_bytes, word_sum

When = Literal["after", "before"]


@dataclass(frozen=True)
class Run:
    """One forward pass: the model's outputs, and the activity that was read (site -> tensor, trial-first)."""

    outputs: Any
    activity: Mapping[str, Tensor] = field(default_factory=dict)


class Preparation:
    """A network that can be recorded from and lesioned; made by `artiphys.wrap`.

    Attributes
    ----------
    model : Module
        The module whose call is one forward pass.
    bridge : TransformerBridge or None
        For users of TransformerLens.
    tokenizer : object or None
    """

    def __init__(self, adapter: Adapter, *, tokenizer: Any = None, bridge: Any = None) -> None:
        self.adapter, self.tokenizer, self.bridge = adapter, tokenizer, bridge
        self.frame = Frame()
        self.on_unwrap: Callable[[], object] = lambda: None
        self._discovery: Discovery | None = None
        self._sites = Sites({})
        self._example: Inputs | None = None
        self._wired: set[str] = set()
        self._intact: tuple[object, list[Tensor]] | None = None
        self._fingerprint: tuple[object, str] | None = None
        self.staged: dict[Any, str] = {}  # stages tried in lesion games -> why not, or "" where they may be shared
        self.tuned: dict[Any, int] = {}  # rows a call that were measured to be fastest
        self.in_force: list[str] = []  # digests of the lesions that `lesioned` applies now
        self.unwrapped = False

    @property
    def model(self) -> nn.Module:
        """The module whose call is one forward pass."""
        return self.adapter.root

    @property
    def sites(self) -> Sites:
        """Sites by canonical name; printing it shows names, axes and sizes.

        Raises
        ------
        SiteError
            If the network has not run yet and no example was given to `artiphys.wrap`.
        """
        if self._discovery is None:
            self.look()
        return self._sites

    def look(self, inputs: Inputs | None = None) -> None:
        """Find the sites by running the network on its example, or on the first of these inputs; once."""
        if self._discovery is not None:
            return
        given = self.adapter.example()
        example = given if given is not None else inputs
        if example is None:
            raise SiteError(
                "the sites of this network are found by running it once; wrap it with a few inputs: "
                "ap.wrap(model, example=inputs)"
            )
        self._example = rows_of(example, (0, 1))
        try:
            self._discovery = self.adapter.discover(self._example)
        except ArtiphysError:
            raise
        except Exception as error:
            raise InputError(
                f"the network could not be run on two and three trials of the example ({_shapes(example)}): {error}. "
                "Trials must lie on axis 0, and any number of them must do"
            ) from error
        self._sites = Sites(
            {name: tap.site for name, tap in self._discovery.taps.items()},
            self._discovery.aliases,
            self._discovery.silent,
        )

    def tapping(self) -> Tapping:
        """Hooks to plan reads and writes on; nothing is touched before it is entered."""
        assert self.sites is not None and self._discovery is not None
        return Tapping(self.model, self.frame, self._discovery.unroll)

    def tap(self, name: str) -> Any:
        """The tap of a site or alias."""
        canonical = self.sites.canonical(name)
        assert self._discovery is not None
        return self._discovery.taps[canonical]

    def run(
        self,
        inputs: Inputs | Stimuli,
        read: str | Sequence[str] = (),
        write: Mapping[str, Write] | None = None,
        stop_at: str | None = None,
        *,
        when: When = "after",
        last_only: bool = False,
        node: Tensor | None = None,
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
            On step-by-step sites it is called once a step with a time axis of length 1.
        stop_at : str, optional
            End the pass once this site is computed; ``outputs`` is then None. The site is read too.
        when : "after" or "before"
            Read after hooks and writes, or the value before any of them.
        last_only : bool
            Outputs at each trial's last position only.
        node : Tensor, optional
            ``(row,)`` index of the coalition each row belongs to; passed on as ``at.node``.

        Returns
        -------
        Run

        Raises
        ------
        SiteError, InputError
        """
        stimuli = Stimuli.of(inputs)
        self.require_wrapped()
        if read or write or stop_at:
            self.look(stimuli.inputs)
        if when not in ("after", "before"):
            raise InputError(f"when came as {when!r}; wanted 'after' or 'before'")
        wanted = [s.name for s in self.sites.select([read] if isinstance(read, str) else list(read))] if read else []
        stop = None if stop_at is None else self.sites.canonical(stop_at)
        if stop is not None and stop not in wanted:
            wanted.append(stop)
        if not wanted and not write:
            return Run(self._forward(stimuli, node, last_only), {})
        kept: dict[str, list[Tensor]] = {name: [] for name in wanted}
        tapping = self.tapping()
        for name, fn in (write or {}).items():
            if not callable(fn):
                raise InputError(f"write at {name!r} came as {type(fn).__name__}; wanted a function fn(x, at)")
            tapping.write(self.tap(name), fn)
        for name in wanted:
            tapping.read(self.tap(name), self._keeper(name, kept, name == stop), before=when == "before")
        outputs: Any = None
        with tapping:
            try:
                outputs = self._forward(stimuli, node, last_only)
            except StopForwardError:
                outputs = None
        activity = {}
        for name, parts in kept.items():
            if not parts and stop is None:
                raise SiteError(f"site {name!r} did not fire on these inputs")
            if parts:
                activity[name] = torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]
        return Run(outputs, activity)

    def _keeper(self, name: str, kept: dict[str, list[Tensor]], stop: bool) -> Callable[[Tensor, At], None]:
        def keep(x: Tensor, at: At) -> None:
            if at.time is not None and at.site.stepped and kept[name] and name.endswith("_reverse"):
                kept[name].insert(0, x)  # the backward direction comes last step first
            else:
                kept[name].append(x)
            self.frame.activity[name] = x
            last = not at.site.stepped or (at.n_time is not None and len(kept[name]) == at.n_time)
            if stop and last:
                raise StopForwardError

        return keep

    def _forward(self, stimuli: Stimuli, node: Tensor | None, last_only: bool) -> Any:
        self.frame.announce(Rows(stimuli, node=node))
        try:
            return self.adapter.call(stimuli.inputs, last_only=last_only)
        finally:
            self.frame.forget()

    def players(
        self,
        sites: str | Sequence[str],
        *,
        units: Sequence[int] | None = None,
        axis: str | None = None,
        group_by: Grouping | Sequence[Sequence[int]] | None = None,
    ) -> Players:
        """Players of a game: one a unit (head, channel, expert) of the matching sites, or one a group.

        Examples
        --------
        >>> import artiphys as ap
        >>> ap.wrap(ap.toys.load("xor")).players("hidden")
        2 players: hidden.0, hidden.1
        """
        chosen = self.sites.select([sites] if isinstance(sites, str) else list(sites))
        return players_of(chosen, units=units, axis=axis, group_by=group_by)

    def require_wrapped(self) -> None:
        """`ArtiphysError` once the model was given back: its sites are then no longer there."""
        if self.unwrapped:
            raise ArtiphysError("this preparation was unwrapped; wrap the model again to go on")

    def require_steady(self) -> None:
        """`InputError` if the network is in train mode with parts whose output is then left to chance or batch.

        Batch normalisation would also change its statistics for good.
        """
        kinds = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
        for name, module in self.model.named_modules():
            if module.training and isinstance(module, kinds) and getattr(module, "p", 1.0) > 0:
                raise InputError(
                    f"the network is in train mode and {name!r} is a {type(module).__name__}: its activity depends on "
                    "chance or on the batch. Call model.eval() first"
                )

    def require_wired(self, name: str) -> Site:
        """The site, if writing to it can reach the output; checked once by writing NaN there.

        A threshold or an argmax may swallow NaN; a large random change is then tried as well.

        Raises
        ------
        SiteError
            If the site is inert: it can be read, but what is written there is ignored.
        """
        site = self.sites[name]
        if site.name in self._wired:
            return site
        if not site.dtype.is_floating_point:
            raise SiteError(f"site {site.name!r} holds integers ({site.dtype}) and cannot be lesioned")
        assert self._example is not None
        probes: list[Write] = [lambda x, at: torch.full_like(x, torch.nan), _shaken(1), _shaken(2)]
        with without_trace(self.model), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TransformerLens warns of the very edits we try here
            state = (self.fingerprint(), tuple(self.in_force))
            if self._intact is None or self._intact[0] != state:
                self._intact = (state, self._outputs(None, site.name))
            intact = self._intact[1]
            if not intact:
                raise SiteError(
                    f"the output of this network ({type(self.run(self._example).outputs).__name__}) holds no tensor "
                    "that can be looked at; return a tensor, or tuples, mappings or dataclasses of them"
                )
            for probe in probes:
                changed = self._outputs(probe, site.name)
                if len(changed) != len(intact) or any(_differ(a, b) for a, b in zip(intact, changed)):
                    self._wired.add(site.name)
                    return site
        if self.in_force:
            return site  # a lesion downstream may swallow every probe; nothing is known, so nothing is refused
        raise SiteError(
            f"site {site.name!r} is inert: it can be recorded, but what is written there does not reach the "
            "output. Choose another site of the same quantity"
        )

    def _outputs(self, probe: Write | None, name: str) -> list[Tensor]:
        assert self._example is not None
        run = self.run(self._example, write={} if probe is None else {name: probe})
        return [t.detach().clone() for _, t in leaves(run.outputs)]

    def fingerprint(self) -> str:
        """Digest of all parameters and buffers, their dtype and the adapter.

        Computed when first asked for, and again when a cheap check shows that a weight has changed.
        """
        tensors = [*self.model.named_parameters(), *self.model.named_buffers()]
        # Edits through .data leave no version behind, so the words of each tensor are summed as well.
        state = tuple((n, t.data_ptr(), t._version, tuple(t.shape), word_sum(t)) for n, t in tensors)
        if self._fingerprint is None or self._fingerprint[0] != state:
            h = hashlib.blake2b(self.adapter.version.encode(), digest_size=16)
            config = getattr(self.model, "config", None)
            h.update(str(getattr(config, "_attn_implementation", "")).encode())
            for name, t in sorted(tensors, key=lambda pair: pair[0]):
                h.update(f"{name}{t.dtype}{tuple(t.shape)}".encode())
                h.update(tensor_bytes(t))
            self._fingerprint = (state, h.hexdigest())
        return self._fingerprint[1]

    def unwrap(self) -> Any:
        """The network as it was before it was wrapped; the preparation must not be used afterwards."""
        if any(is_ours(h) for h in self.model._forward_pre_hooks.values()):
            raise ArtiphysError("a lesion is in force; leave ap.lesioned before unwrapping")
        self.on_unwrap()
        self.unwrapped = self.bridge is not None
        return self.adapter.unwrap()

    def __repr__(self) -> str:
        kind = type(self.model).__name__
        known = f"{len(self._sites)} sites" if self._discovery else "sites not looked at yet"
        owned = ", taken over until unwrap()" if self.bridge is not None else ""
        return f"Preparation({kind} on {device_of(self.model)}, {known}{owned})"


def _shapes(inputs: Inputs) -> str:
    if isinstance(inputs, Mapping):
        return ", ".join(f"{k} {tuple(v.shape)}" for k, v in inputs.items())
    return str(tuple(inputs.shape))


def _differ(intact: Tensor, changed: Tensor) -> bool:
    # More than rounding: some hooks, when edited, only switch TransformerLens to another order of sums.
    if intact.shape != changed.shape:
        return True
    if not intact.is_floating_point():
        return not torch.equal(intact, changed)
    scale = float(intact.abs().nan_to_num().max()) if intact.numel() else 0.0
    return not torch.allclose(intact, changed, rtol=1e-3, atol=1e-3 * scale, equal_nan=True)


def _shaken(seed: int) -> Write:
    def shake(x: Tensor, at: At) -> Tensor:
        noise = np.random.default_rng(seed).normal(scale=100.0, size=tuple(x.shape))
        return x + torch.as_tensor(noise, dtype=x.dtype, device=x.device)

    return shake
