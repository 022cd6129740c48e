"""Portable: a game as bytes for another process, and the evaluator made of it there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from artiphys.adapters.wrap import wrap
from artiphys.errors import InputError, MissingExtraError
from artiphys.lesions.evaluation.evaluator import Evaluator
from artiphys.lesions.operations.context import writers

if TYPE_CHECKING:
    from artiphys.lesions.games.game import Game


def packed(game: Game) -> bytes:
    """Network, stimuli, score and lesions of a game.

    Raises
    ------
    MissingExtraError
        If cloudpickle is not installed; scores are functions, which plain pickle cannot carry.
    InputError
        If the network cannot be pickled.
    """
    try:
        import cloudpickle
    except ImportError as error:
        raise MissingExtraError("executor= needs cloudpickle; install the extra: pip install '.[cluster]'") from error
    lesions = [[w.lesion for w in parts] for parts in game._writers]
    pools = {w.lesion.pool.digest(): w.lesion.pool.activity for parts in game._writers for w in parts if w.lesion.pool}
    try:
        return bytes(cloudpickle.dumps((game.prep.adapter.portable(), game._stimuli, game.score, lesions, pools)))
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"this game cannot be sent to a worker ({type(error).__name__}: {error}); keep open files, locks and "
            "generators out of the network and the score"
        ) from error


def unpacked(payload: bytes) -> Evaluator:
    """The evaluator of a packed game; only for bytes that `packed` made in the same campaign."""
    import pickle

    (model, example, steps), stimuli, score, lesions, pools = pickle.loads(payload)
    prep: Any = wrap(model, example, steps=steps)
    prep.look(stimuli.inputs)
    for parts in lesions:
        for lesion in parts:
            if lesion.pool is not None:  # pickling leaves the donors' activity behind
                object.__setattr__(lesion.pool, "activity", pools[lesion.pool.digest()])
    return Evaluator(prep, stimuli, score, [writers(prep, parts) for parts in lesions])
