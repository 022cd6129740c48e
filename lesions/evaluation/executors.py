"""Executors: blocks of coalitions evaluated by a `concurrent.futures.Executor` or a Dask cluster.

A worker gets the setup once (network, stimuli, score, lesions), keeps it, and then only coalitions. A block
that is lost with its worker is all that is computed again.
"""

from __future__ import annotations

import hashlib
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from artiphys.array_types import Array
from artiphys.errors import InputError, MissingExtraError
from artiphys.lesions.evaluation.batch_size import BatchSizes
from artiphys.lesions.evaluation.blocks import Keep
from artiphys.lesions.evaluation.evaluator import Evaluator
from artiphys.lesions.evaluation.fitting_in_memory import fitting_values
from artiphys.lesions.evaluation.setup import Setup
from artiphys.lesions.operations.context import writers_by_player
from artiphys.preparation.wrap import wrap
from artiphys.third_party import dask_client, worker_count

MIN_BLOCKS_PER_WORKER = 6
_here = threading.local()  # each thread of a worker has a network of its own: lesions act on the whole network


def run_elsewhere(
    executor: Any, evaluator: Evaluator, coalitions: Array, sizes: BatchSizes, fixed_rows: int | None, keep: Keep
) -> None:
    """Evaluate different coalitions on an executor, keeping each block as it comes back.

    Parameters
    ----------
    fixed_rows : int, optional
        Fixed rows per forward pass, as the user asked for.

    Raises
    ------
    InputError
        If the score fails on a coalition (named), or a lesion is in force here, which workers would lack.
    """
    setup = evaluator.setup
    if setup.prep.in_force:
        raise InputError("workers know nothing of ap.lesioned; leave the block, or make a game without executor=")
    payload = packed(setup)
    digest = hashlib.blake2b(payload, digest_size=16).hexdigest()
    submit, sent = _submitter(executor, payload)
    sizes.settled = True
    layout, width = evaluator.layout, worker_count(executor)
    ordered = coalitions[evaluator.sort(coalitions)]
    n = sizes.block(~ordered, layout.first_stage, layout.costs)
    # Several blocks for each worker, so that none waits long for the last.
    n = min(n, max(1, -(-len(ordered) // (MIN_BLOCKS_PER_WORKER * width))))
    chunks = iter([(i, ordered[i : i + n]) for i in range(0, len(ordered), n)])
    pending: dict[Future[Any], tuple[int, Array]] = {}
    failures: dict[int, str] = {}  # by place among the ordered coalitions
    try:
        while True:
            # A few more than there are workers, so that none waits and little is lost when something fails.
            while not failures and len(pending) < width * 2:
                start, chunk = next(chunks, (0, None))
                if chunk is None:
                    break
                try:
                    future = submit(evaluate_block, sent, digest, chunk, sizes.rows, fixed_rows)
                except RuntimeError as error:
                    raise InputError(f"the executor takes no work ({error}); pass one that is running") from error
                pending[future] = start, chunk
            if not pending:
                break
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                start, chunk = pending.pop(future)
                per_trial, failed = future.result()
                good = [i for i in range(len(chunk)) if i not in failed]
                if good:
                    keep(chunk[good], per_trial[good])
                failures |= {start + i: error for i, error in failed.items()}
    finally:
        for future in pending:
            future.cancel()
    if failures:
        first = min(failures)  # whichever block came back first: the same coalition is named every time
        raise InputError(f"coalition {setup.described(ordered[first])}: {failures[first]}")


def evaluate_block(
    payload: Any, digest: str, chunk: Array, known_rows: int, fixed_rows: int | None
) -> tuple[Array, dict[int, str]]:
    """On a worker: the values of one block, and what failed by coalition."""
    evaluators: dict[str, Evaluator] = _here.__dict__.setdefault("evaluators", {})
    if digest not in evaluators:
        evaluators.clear()  # one network for each worker is enough
        evaluators[digest] = unpacked(payload)
    evaluator = evaluators[digest]
    sizes = evaluator.batch_sizes(fixed_rows, known_rows)
    with evaluator.running():
        values = fitting_values(evaluator, chunk, sizes)
    return values.per_trial, {i: f"{type(e).__name__}: {e}" for i, e in values.failed.items()}


def packed(setup: Setup) -> bytes:
    """Network, stimuli, score and lesions of a setup, for another process.

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
    lesions = [[w.lesion for w in parts] for parts in setup.players]
    held = [les.source.pool for parts in lesions for les in parts]
    pools = {pool.digest(): pool.activity for pool in held if pool}
    names = setup.kind, setup.player_names
    try:
        return bytes(
            cloudpickle.dumps((setup.prep.adapter.portable(), setup.stimuli, setup.score, names, lesions, pools))
        )
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"this game cannot be sent to a worker ({type(error).__name__}: {error}); keep open files, locks and "
            "generators out of the network and the score"
        ) from error


def unpacked(payload: bytes) -> Evaluator:
    """The evaluator of a packed setup; only for bytes that `packed` made in the same campaign."""
    (model, example, steps), stimuli, score, (kind, names), lesions, pools = pickle.loads(payload)
    prep = wrap(model, example, steps=steps)
    prep.look(stimuli.inputs)
    for parts in lesions:
        for lesion in parts:
            pool = lesion.source.pool
            if pool is not None:  # pickling leaves the donors' activity behind
                object.__setattr__(pool, "activity", pools[pool.digest()])
    return Evaluator(Setup.of(prep, stimuli, score, kind, names, writers_by_player(prep, lesions)))


def require_executor(executor: Any) -> None:
    """`InputError` unless it is None, or takes work."""
    if executor is not None and dask_client(executor) is None and not callable(getattr(executor, "submit", None)):
        raise InputError(
            f"executor came as {type(executor).__name__}; wanted a concurrent.futures.Executor or a Dask client"
        )


def _submitter(executor: Any, payload: bytes) -> tuple[Callable[..., Any], Any]:
    """How to submit, and the payload in the form to submit: with Dask it is sent to each worker once."""
    client = dask_client(executor)
    if client is None:
        return executor.submit, payload
    # As an executor, so that futures are those of concurrent.futures.
    pool = executor if executor is not client else client.get_executor(pure=False)
    return pool.submit, client.scatter(payload, broadcast=True, hash=True)
