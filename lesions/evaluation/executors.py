"""Workers: blocks of coalitions evaluated by a `concurrent.futures.Executor` or a Dask cluster.

A worker gets the game once (network, stimuli, score, lesions), keeps it, and then only coalitions. A block
that is lost with its worker is all that is computed again.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TYPE_CHECKING, Any

import numpy as np

from artiphys.errors import InputError
from artiphys.lesions.evaluation.batch_size import Pace
from artiphys.lesions.evaluation.blocks import fitting_values
from artiphys.lesions.evaluation.evaluator import Evaluator, described
from artiphys.lesions.evaluation.portable import packed, unpacked

if TYPE_CHECKING:
    from artiphys.lesions.games.game import Game

Array = np.ndarray[Any, Any]
Keep = Callable[[Array, Array], None]
BLOCKS_A_WORKER = 6
_here = threading.local()  # each thread of a worker has a network of its own: lesions act on the whole network


def run_elsewhere(game: Game, coalitions: Array, pace: Pace, keep: Keep) -> None:
    """Evaluate different coalitions on an executor, keeping each block as it comes back.

    Raises
    ------
    InputError
        If the score fails on a coalition (named), or a lesion is in force here, which workers would lack.
    """
    if game.prep.in_force:
        raise InputError("workers know nothing of ap.lesioned; leave the block, or make a game without executor=")
    evaluator = game._evaluator
    assert evaluator is not None
    payload = packed(game)
    digest = hashlib.blake2b(payload, digest_size=16).hexdigest()
    submit, sent = _submitter(game.executor, payload)
    pace.settled = True
    layout = evaluator.layout
    ordered = coalitions[evaluator.sort(coalitions)]
    size = pace.block(~ordered, layout.first_stage, layout.costs)
    # Several blocks a worker, so that none waits long for the last.
    size = min(size, max(1, -(-len(ordered) // (BLOCKS_A_WORKER * _width(game.executor)))))
    chunks = iter([ordered[i : i + size] for i in range(0, len(ordered), size)])
    pending: dict[Future[Any], Array] = {}
    failure: tuple[str, Array] | None = None
    try:
        while True:
            # A few more than there are workers, so that none waits and little is lost when something fails.
            while failure is None and len(pending) < _width(game.executor) * 2:
                chunk = next(chunks, None)
                if chunk is None:
                    break
                try:
                    future = submit(evaluate_block, sent, digest, chunk, pace.rows, game.batch_size)
                except RuntimeError as error:
                    raise InputError(f"the executor takes no work ({error}); pass one that is running") from error
                pending[future] = chunk
            if not pending:
                break
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                chunk = pending.pop(future)
                kept, failed = future.result()
                good = [i for i in range(len(chunk)) if i not in failed]
                if good:
                    keep(chunk[good], kept[good])
                if failed and failure is None:
                    first = min(failed)
                    failure = failed[first], chunk[first]
    finally:
        for future in pending:
            future.cancel()
    if failure is not None:
        raise InputError(f"coalition {described(failure[1], game.player_names)}: {failure[0]}")


def evaluate_block(
    payload: Any, digest: str, chunk: Array, rows: int, fixed: int | None
) -> tuple[Array, dict[int, str]]:
    """On a worker: the values of one block, and what failed by coalition."""
    games = _here.__dict__.setdefault("games", {})
    if digest not in games:
        games.clear()  # one network a worker is enough
        games[digest] = unpacked(payload)
    evaluator: Evaluator = games[digest]
    pace = evaluator.paced(fixed, rows)
    with evaluator.running():
        values = fitting_values(evaluator, chunk, pace)
    return values.kept, {i: f"{type(e).__name__}: {e}" for i, e in values.failed.items()}


def _submitter(executor: Any, payload: bytes) -> tuple[Callable[..., Any], Any]:
    """How to submit, and the payload in the form to submit: with Dask it is sent to each worker once."""
    client = executor if hasattr(executor, "scatter") else getattr(executor, "_client", None)
    if client is None or not hasattr(client, "scatter"):
        if not callable(getattr(executor, "submit", None)):
            raise InputError(
                f"executor came as {type(executor).__name__}; wanted a concurrent.futures.Executor or a Dask client"
            )
        return executor.submit, payload
    # As an executor, so that futures are those of concurrent.futures.
    pool = executor if executor is not client else client.get_executor(pure=False)
    return pool.submit, client.scatter(payload, broadcast=True, hash=True)


def _width(executor: Any) -> int:
    client = executor if hasattr(executor, "scatter") else getattr(executor, "_client", None)
    if client is not None and hasattr(client, "ncores"):
        return max(1, int(sum(client.ncores().values())))
    return int(getattr(executor, "_max_workers", 4) or 4)
