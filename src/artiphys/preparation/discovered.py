"""A network whose sites are found by running it once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from artiphys.adapters.adapter import Adapter, Discovery, two_trials
from artiphys.errors import ArtiphysError, InputError, SiteError
from artiphys.hooks.taps import Frame
from artiphys.hooks.turns import turns_of
from artiphys.preparation.run import shapes
from artiphys.sites import Sites
from artiphys.stimuli import Inputs


class Discovered:
    """What is known of a network from running it on its example.

    Parameters
    ----------
    adapter : Adapter
    """

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.frame = Frame(valid_at=adapter.valid, turns=turns_of(adapter.root))
        self.on_look: Callable[[Inputs], object] = lambda example: None
        self._discovery: Discovery | None = None
        self._sites = Sites({})
        self._example: Inputs | None = None
        self._shown: Inputs | None = None
        self._modules: tuple[int, ...] = ()

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
            self.require_whole()
            return
        given = [self.adapter.example(), inputs, self._shown]
        example = next((e for e in given if e is not None), None)
        if example is None:
            raise SiteError(
                "the sites of this network are found by running it once; wrap it with a few inputs: "
                "ap.wrap(model, example=inputs)"
            )
        with self.frame.turns.take():
            if self._discovery is None:  # nor did another thread look meanwhile
                self._look(two_trials(example))

    def _look(self, example: Inputs) -> None:
        self.on_look(example)  # before anything is kept: what is refused once is refused again
        self._example, self._modules = example, tuple(map(id, self.model.modules()))
        try:
            found = self.adapter.discover(example)
        except ArtiphysError:
            raise
        except Exception as error:
            raise InputError(
                f"the network could not be run on two and three trials of the example ({shapes(example)}): {error}. "
                "Trials must lie on axis 0, and any number of them must do"
            ) from error
        self._sites = Sites(
            {name: tap.site for name, tap in found.taps.items()}, found.aliases, found.silent, found.read_only
        )
        self._discovery = found  # last: who finds it finds the sites too

    @property
    def discovery(self) -> Discovery:
        """What was found when the network was looked at."""
        if self._discovery is None:
            self.look()
        assert self._discovery is not None
        return self._discovery

    @property
    def example(self) -> Inputs:
        """The two trials that the network was looked at with."""
        assert self.discovery is not None and self._example is not None
        return self._example

    def tap(self, name: str) -> Any:
        """The tap of a site or alias."""
        return self.discovery.taps[self.sites.canonical(name)]

    def require_whole(self) -> None:
        """`ArtiphysError` if a module was replaced, added or taken out since the sites were found."""
        if self._modules != tuple(map(id, self.model.modules())):
            raise ArtiphysError("a module of this network was replaced since it was looked at; wrap the network again")
