from __future__ import annotations

import gc
import threading

import pytest
import torch
from torch import nn

from artiphys.hooks.changes import Changes, grad_enabled, outside_inference_mode
from artiphys.hooks.shared_setting import SharedSetting


def test_changes_are_undone_the_latest_first() -> None:
    table = {"a": 1}
    with Changes() as changes:
        changes.set(table, "a", 2)
        changes.set(table, "a", 3)
        changes.set(table, "b", 4)
        assert table == {"a": 3, "b": 4}
    assert table == {"a": 1}


def test_what_was_interrupted_while_it_was_undone_is_undone_in_the_end() -> None:
    table = {"a": 1, "b": 1}
    interrupts = [KeyboardInterrupt(), KeyboardInterrupt(), KeyboardInterrupt()]

    def interrupted() -> None:
        if interrupts:
            raise interrupts.pop()

    changes = Changes()
    changes.set(table, "a", 2)
    changes.undone_by(interrupted)
    changes.set(table, "b", 2)
    with pytest.raises(KeyboardInterrupt):
        changes.undo()
    assert table == {"a": 2, "b": 1}
    with pytest.raises(KeyboardInterrupt):
        changes.undo()
    changes.undo()
    assert table == {"a": 1, "b": 1}


def test_what_nobody_undid_is_undone_when_nobody_holds_it() -> None:
    module, table = nn.Linear(2, 2), {"a": 1}
    changes = Changes()
    changes.set(table, "a", 2)
    changes.hook(module, lambda m, args, kwargs, output: output + 1)
    changes.hook(module, lambda m, args, kwargs: None, pre=True)
    del changes
    gc.collect()
    assert table == {"a": 1} and not module._forward_hooks and not module._forward_pre_hooks


def test_a_shared_setting_is_put_back_by_the_last_who_leaves() -> None:
    held = {"value": 7}
    setting = SharedSetting(lambda: held["value"], lambda value: held.update(value=value), 0)
    inside, leave = threading.Event(), threading.Event()

    def elsewhere() -> None:
        with setting.in_use():
            inside.set()
            leave.wait()

    thread = threading.Thread(target=elsewhere)
    with setting.in_use():
        thread.start()
        inside.wait()
    assert held["value"] == 0, "the other thread still uses it"
    leave.set()
    thread.join()
    assert held["value"] == 7


def test_torchs_fast_path_is_off_for_a_while() -> None:
    from artiphys.hooks.shared_setting import WITHOUT_FAST_PATH

    with WITHOUT_FAST_PATH.in_use():
        assert not torch.backends.mha.get_fastpath_enabled()
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_setting_whose_end_was_torn_does_not_come_back() -> None:
    """An inner block that an interrupt tore is noticed when the last traceback is dropped, after the outer one."""
    outer, inner = grad_enabled(False), grad_enabled(True)
    innermost = grad_enabled(False)
    outer.__enter__()
    inner.__enter__()
    innermost.__enter__()
    outer.__exit__(None, None, None)
    assert torch.is_grad_enabled()
    del innermost, inner
    gc.collect()
    assert torch.is_grad_enabled()


def test_a_setting_that_another_thread_drops_is_its_own_threads() -> None:
    torn = [grad_enabled(False)]
    torn[0].__enter__()
    thread = threading.Thread(target=torn.clear)
    thread.start()
    thread.join()
    assert not torch.is_grad_enabled()
    torch.set_grad_enabled(True)


def test_inference_mode_is_left_and_entered_again() -> None:
    with torch.inference_mode():
        with outside_inference_mode(), grad_enabled(True):
            assert not torch.is_inference_mode_enabled() and torch.is_grad_enabled()
            torn = outside_inference_mode()
            torn.__enter__()
        assert torch.is_inference_mode_enabled() and not torch.is_grad_enabled()
        del torn
        gc.collect()
        assert torch.is_inference_mode_enabled() and not torch.is_grad_enabled()
    with outside_inference_mode(), grad_enabled(False), outside_inference_mode():
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
