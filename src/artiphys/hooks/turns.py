"""Turns: one thread at a time changes and runs a network.

Hooks act on a network, whichever thread calls it, and there is one description of the forward pass in progress. So who
runs a prepared network takes a turn, and others wait for its end; while a lesion outlasts a run they are refused.
Turns are held weakly: one that was torn by an interrupt ends when nobody holds it any more.
"""

from __future__ import annotations

import contextlib
import inspect
import threading
import time
import weakref
from types import FrameType
from typing import Any

from torch import nn

from artiphys.errors import HookError
from artiphys.hooks.changes import Changes
from artiphys.hooks.claims import Claims
from artiphys.user_warnings import OURS

FIRST_WAIT, LONGEST_WAIT = 1e-4, 1e-2  # seconds between two looks at who is before


class Turn(Changes):
    """A time in which one thread has the network; its changes are undone when it ends. A context manager.

    Attributes
    ----------
    lasting : bool
        It outlasts a run: its own thread runs the network meanwhile, others are refused.
    is_loop : bool
        What runs meanwhile is a function that runs the network itself.
    """

    def __init__(self, *, lasting: bool = False, is_loop: bool = False) -> None:
        super().__init__()
        self.thread = threading.current_thread()
        self.entry = None if lasting else entry_point()
        self.lasting, self.is_loop = lasting, is_loop
        self.ended = False

    def undo(self) -> None:
        """Undo what was changed, and let others have the network."""
        super().undo()
        self.ended = True


_BY_NETWORK: weakref.WeakKeyDictionary[nn.Module, Turns] = weakref.WeakKeyDictionary()


def turns_of(network: nn.Module) -> Turns:
    """The turns of a network: the same for all that prepare it."""
    return _BY_NETWORK.setdefault(network, Turns())


class Turns:
    """Who has a network and who waits for it, first come, first served."""

    def __init__(self) -> None:
        self._queue: list[weakref.ref[Turn]] = []
        self.claims: dict[object, Claims] = {}  # what is written and read by what is in force, whoever prepared it

    def __deepcopy__(self, memo: dict[int, Any]) -> Turns:
        return Turns()  # nobody has a network that was just copied

    def __reduce__(self) -> Any:
        return Turns, ()

    def take(self, *, lasting: bool = False, is_loop: bool = False) -> Turn:
        """A turn of the calling thread, as soon as no other thread has one.

        Raises
        ------
        HookError
            If the thread is in the middle of a run, or a lesion of another thread is in force.
        """
        turn = Turn(lasting=lasting, is_loop=is_loop)
        place = weakref.ref(turn)
        self._queue.append(place)  # one step of Python, so that two threads have different places
        try:
            self._wait(turn)
        except BaseException:
            turn.ended = True
            raise
        finally:
            self._forget_ended()
        return turn

    def held(self) -> contextlib.AbstractContextManager[object]:
        """A turn for a function that runs the network in parts, or only looks at it; none where the thread has one."""
        me = threading.current_thread()
        for turn in [place() for place in self._queue]:
            if turn is not None and not turn.ended and turn.thread is me and is_running(turn.entry):
                return contextlib.nullcontext()
        return self.take(is_loop=True)

    def _forget_ended(self) -> None:
        for place in list(self._queue):
            if (turn := place()) is None or turn.ended:
                with contextlib.suppress(ValueError):  # another thread did it
                    self._queue.remove(place)

    def _wait(self, turn: Turn) -> None:
        seconds = FIRST_WAIT
        while True:
            before = self._before(turn)
            mine = [t for t in before if t.thread is turn.thread]
            others = [t for t in before if t.thread is not turn.thread]
            if mine:
                self._require_open(mine[-1])
                return
            if not others:
                return
            if any(t.lasting for t in others):
                raise HookError(
                    f"a lesion that thread {others[0].thread.name!r} applied to this network is in force, so what "
                    f"thread {turn.thread.name!r} runs would be lesioned too. Run it in that thread, or wrap a copy "
                    "of the network for each thread: ap.wrap(copy.deepcopy(model))"
                )
            time.sleep(seconds)
            seconds = min(2 * seconds, LONGEST_WAIT)

    def _before(self, turn: Turn) -> list[Turn]:
        """Turns that are in force and came before this one, in order."""
        found = []
        for place in list(self._queue):
            other = place()
            if other is turn:
                break
            if other is None or other.ended:
                continue
            if other.thread is turn.thread and not is_running(other.entry):
                other.undo()  # left behind by an interrupt
            elif other.thread.is_alive():
                found.append(other)
        return found

    @staticmethod
    def _require_open(turn: Turn) -> None:
        if not turn.lasting and not turn.is_loop:
            raise HookError(
                "this network is in the middle of a run: a write function, a score or a hook that it calls cannot run "
                "it, lesion it or make a game of it. Run what is needed before, or score with a function that runs the "
                "network itself (ap.scores.closed_loop)"
            )


def entry_point() -> int | None:
    """Identity of the call by which the code that takes a turn was entered from outside of artiphys."""
    frame: FrameType | None = inspect.currentframe()
    found = None
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in OURS:
        if not frame.f_code.co_flags & inspect.CO_GENERATOR:  # one that is suspended is in no stack
            found = id(frame)
        frame = frame.f_back
    return found


def is_running(entry: int | None) -> bool:
    """Whether that call goes on in this thread; else an error's traceback keeps alive what it left behind."""
    if entry is None:
        return True
    frame: FrameType | None = inspect.currentframe()
    while frame is not None:
        if id(frame) == entry:
            return True
        frame = frame.f_back
    return False
