"""The errors artiphys raises: each says what came, what was wanted and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ArtiphysError(ValueError):
    """Base of every error that artiphys raises on purpose."""


class SiteError(ArtiphysError):
    """A site that does not exist, never fires, or does nothing when written to."""


class InputError(ArtiphysError):
    """Data of the wrong type, shape, length or content."""


class LesionError(ArtiphysError):
    """A lesion that cannot be made or applied as asked."""


class HookError(ArtiphysError):
    """A hook of ours was taken away while it was in force."""


class RecordingError(ArtiphysError):
    """A recording on disk that is short, foreign or already there."""


class BudgetError(ArtiphysError):
    """Too few evaluations for what was asked.

    ``best`` holds the players of the nearest set that a search for a circuit met, by number.
    """

    best: tuple[int, ...] = ()


class MemoryLimitError(ArtiphysError, MemoryError):
    """Not even the smallest piece of work fits the memory."""


class CampaignError(ArtiphysError):
    """A campaign's directory that cannot be read or written, or is something else."""


class StatisticsError(ArtiphysError):
    """A statistic that the design of the data does not allow."""


class MissingExtraError(ArtiphysError, ImportError):
    """A specimen whose optional package is not installed."""


def unknown(what: str, name: object, known: Iterable[str]) -> str:
    """Sentence for a name that is not known, with the nearest ones.

    >>> unknown("site", "hiden", ["hidden", "output"])
    "there is no site 'hiden'; did you mean 'hidden'?"
    """
    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.5)
    if near:
        return f"there is no {what} {str(name)!r}; did you mean {', '.join(repr(n) for n in near)}?"
    some = ", ".join(repr(n) for n in names[:8]) + (", ..." if len(names) > 8 else "")
    return f"there is no {what} {str(name)!r}; there are {len(names)}: {some}"
