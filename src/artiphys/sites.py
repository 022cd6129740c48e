"""Sites: the named tensors of a computation that can be recorded and lesioned."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from artiphys.errors import InputError, SiteError, unknown


@dataclass(frozen=True)
class Site:
    """One tensor of a network's computation, seen trial-first and with named axes.

    Attributes
    ----------
    name : str
        Canonical name: the module's path, or TransformerLens's hook name.
    axes : tuple of str
        Names of the axes after ``trial``, such as ``("time", "head", "unit")``.
    sizes : tuple of int
        Their lengths in the example the network was looked at with; ``time`` may vary from run to run.
    unit_axis : str
        The axis whose entries are the units a lesion or a player names by default.
    dtype : torch.dtype
        The model's own type at this site.
    guessed : bool
        True if the axes were named by rank alone.
    stepped : bool
        True if the site is computed one time step after another (recurrent nets), so that
        a lesion acts inside the recurrence.
    sequence : str
        Which of a network's sequences ``time`` counts: ``""`` the inputs', ``"decoder"`` that of a decoder,
        ``"frames"`` the frames that are made of a sound.
    unit_known : bool
        False if not even the axis of the units is known; players then need ``axis=``.
    """

    name: str
    axes: tuple[str, ...]
    sizes: tuple[int, ...]
    unit_axis: str
    dtype: torch.dtype = torch.float32
    guessed: bool = False
    stepped: bool = False
    sequence: str = ""
    unit_known: bool = True

    @property
    def n_units(self) -> int:
        """Length of the unit axis."""
        return self.size(self.unit_axis)

    def size(self, axis: str) -> int:
        """Length of one axis; raises `InputError` if the site has no such axis."""
        return self.sizes[self.axis(axis)]

    def axis(self, name: str) -> int:
        """Position of an axis among the axes after ``trial``."""
        if name not in self.axes:
            raise InputError(f"site {self.name!r} has axes {self.axes}; " + unknown("axis", name, self.axes))
        return self.axes.index(name)

    def __str__(self) -> str:
        shape = ", ".join(f"{a} {n}" for a, n in zip(self.axes, self.sizes))
        notes = [f"units along {self.unit_axis}"]
        if self.guessed:
            notes.append("axes guessed")
        if self.stepped:
            notes.append("step by step")
        return f"{self.name}  (trial, {shape})  {'; '.join(notes)}"


class Sites(Mapping[str, Site]):
    """The sites of a preparation by canonical name; aliases resolve, unknown names raise."""

    def __init__(
        self,
        sites: Mapping[str, Site],
        aliases: Mapping[str, str] | None = None,
        silent: Mapping[str, str] | None = None,
        read_only: Mapping[str, str] | None = None,
    ) -> None:
        self._sites = dict(sites)
        self.aliases = dict(aliases or {})
        self.silent = dict(silent or {})
        self.read_only = dict(read_only or {})  # name -> why what is written there would not be what it says

    def __getitem__(self, name: str) -> Site:
        return self._sites[self.canonical(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sites)

    def __len__(self) -> int:
        return len(self._sites)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self._sites or name in self.aliases)

    def canonical(self, name: str) -> str:
        """Canonical name of a site or alias; `SiteError` with the nearest names if there is none."""
        if not isinstance(name, str):
            raise SiteError(f"a site is named by a string, not {type(name).__name__}: {name!r}")
        if name in self._sites:
            return name
        if name in self.aliases:
            return self.aliases[name]
        if name in self.silent:
            raise SiteError(f"site {name!r} cannot be used: {self.silent[name]}")
        raise SiteError(unknown("site", name, [*self._sites, *self.aliases]))

    def require_writable(self, name: str) -> None:
        """`SiteError` for a name under which a site may be read, but not lesioned."""
        if name in self.read_only:
            raise SiteError(f"{name!r} can be recorded but not lesioned: {self.read_only[name]}")

    def select(self, patterns: str | list[str] | tuple[str, ...], *, lesioned: bool = False) -> list[Site]:
        """Sites that match names or patterns, each once, in the order of the forward pass; to lesion them, or to read.

        As in a gitignore file ``*`` stands for anything within one dotted part, ``?`` for one character of it,
        ``[01]`` or ``[0-5]`` for one of these, ``**`` for anything at all; ``{0,11}`` for either.
        """
        chosen: set[str] = set()
        for pattern in [patterns] if isinstance(patterns, str) else list(patterns):
            for name in self.read_only if lesioned and isinstance(pattern, str) else ():
                if pattern.endswith(name.rpartition(".")[2]) and compiled_pattern(pattern).match(name):
                    self.require_writable(name)
            if not isinstance(pattern, str) or pattern in self or not WILD.search(pattern):
                chosen.add(self.canonical(pattern))
                continue
            # A name may hold brackets itself, such as gru[1].
            hits = self._hits(compiled_pattern(pattern)) or self._hits(compiled_pattern(pattern, brackets=False))
            if not hits:
                raise SiteError(unknown("site matching", pattern, [*self._sites, *self.aliases]))
            chosen |= hits
        return [s for n, s in self._sites.items() if n in chosen]

    def _hits(self, rule: re.Pattern[str]) -> set[str]:
        hits = {n for n in self._sites if rule.match(n)}
        return hits | {target for alias, target in self.aliases.items() if rule.match(alias)}

    def __repr__(self) -> str:
        also: dict[str, list[str]] = {}
        for alias, name in self.aliases.items():
            also.setdefault(name, []).append(alias)
        lines = [f"  {s}" + (f"  (also {', '.join(also[n])})" if n in also else "") for n, s in self._sites.items()]
        return f"{len(self)} sites, sizes as in the example\n" + "\n".join(lines)


def unit_axis(axes: Sequence[str]) -> str:
    """The axis whose entries are units: heads, channels or experts where there are any, else the last.

    >>> unit_axis(("time", "head", "unit")), unit_axis(("channel", "height", "width")), unit_axis(("unit",))
    ('head', 'channel', 'unit')
    """
    return next((a for a in ("head", "channel", "expert", "unit") if a in axes), axes[-1])


WILD = re.compile(r"[*?\[{]")


def compiled_pattern(pattern: str, brackets: bool = True) -> re.Pattern[str]:
    """The rule of a pattern of dotted names, for its ``match``; without ``brackets`` these stand for themselves.

    ``*`` is anything within one dotted part, ``?`` one character of it, ``[01]`` one of these characters (``[!01]``
    any other), ``**`` anything at all, ``{a,b}`` either.

    >>> [bool(compiled_pattern("rnn.*").match(name)) for name in ("rnn.cell", "rnn.cell.gate", "rnn")]
    [True, False, False]
    >>> [bool(compiled_pattern("blocks.{0,11}.h[!z]").match(name)) for name in ("blocks.11.hq", "blocks.1.hq")]
    [True, False]

    Raises
    ------
    SiteError
        If a bracket is left open.
    """
    parts = (
        re.split(r"(\*\*|\*|\?|\[!?[^\]]+\]|\{[^{}]*\})", pattern) if brackets else re.split(r"(\*\*|\*|\?)", pattern)
    )
    rule = ""
    for part in parts:
        if part in FIXED:
            rule += FIXED[part]
        elif brackets and len(part) > 2 and part[0] == "[" and part[-1] == "]":
            inside = part[1:-1].replace("\\", "\\\\")
            rule += f"[^.{inside[1:]}]" if inside[0] == "!" else f"[{inside}]"
        elif brackets and len(part) > 1 and part[0] == "{" and part[-1] == "}":
            inner = (compiled_pattern(p).pattern.removesuffix(r"\Z") for p in part[1:-1].split(","))
            rule += f"(?:{'|'.join(inner)})"
        else:
            rule += re.escape(part)
    try:
        return re.compile(rule + r"\Z")
    except re.error as error:
        raise SiteError(f"the pattern {pattern!r} is not understood: {error}") from error


FIXED = {"**": ".*", "*": "[^.]*", "?": "[^.]"}
