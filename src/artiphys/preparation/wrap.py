"""wrap(): any network behind one interface; the adapter is chosen by its kind."""

from __future__ import annotations

import copy as copying
import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from artiphys.adapters.torch_module import TorchAdapter
from artiphys.adapters.transformer import TransformerAdapter, is_bridge, is_transformers_model
from artiphys.border import border
from artiphys.errors import InputError
from artiphys.hooks.changes import Changes
from artiphys.hooks.hook_functions import take_copies_off
from artiphys.preparation.preparation import Preparation
from artiphys.preparation.wrap_checks import Before, check_wrapping
from artiphys.stimuli import Inputs, Stimuli

logger = logging.getLogger("artiphys")

# Kept on the model itself, so that wrapping twice is the same as once and both are freed together.
MARK = "_artiphys_preparation"


@border
def wrap(
    model: Any,
    example: Inputs | Stimuli | None = None,
    *,
    tokenizer: Any = None,
    steps: Sequence[str] = (),
    copy: bool = False,
    as_module: bool = False,
    check: bool = True,
) -> Preparation:
    """One interface to any network: toys, plain modules, recurrent nets and transformers.

    Parameters
    ----------
    model : Module, transformers model, TransformerBridge, Toy or Specimen
        A transformers model is taken over (its modules are rewired and its attention made eager);
        ``prep.unwrap()`` gives it back as it was. Wrapping it again gives the same preparation.
    example : tensor, mapping of tensors or Stimuli, optional
        A few inputs, trials on axis 0: a plain module's sites are found by running it on two or three
        of them. Without it the sites are known after the first `record` or ``run``. Transformers and
        toys need none.
    tokenizer : optional
        Kept as ``prep.tokenizer``.
    steps : sequence of str
        Patterns of modules that a hand-written loop calls once per time step (``nn.GRUCell`` and its
        kin are recognised), as of sites: ``*`` stands for anything within one dotted part, ``**`` for anything.
    copy : bool
        Wrap a deep copy and leave the model alone.
    as_module : bool
        Treat a transformers model as a plain module, with module paths as sites.
    check : bool
        Compare a transformers model's outputs before and after wrapping, on its example and on padded prompts
        (a few small forward passes).

    Returns
    -------
    Preparation

    Raises
    ------
    InputError
        If it cannot be wrapped, or if a transformers model computes something else once it is wrapped.

    Examples
    --------
    >>> import torch, artiphys as ap
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    >>> prep = ap.wrap(net, example=torch.zeros(2, 4))
    >>> prep.sites["1"].sizes
    (3,)
    """
    if isinstance(model, Preparation):
        return model
    if isinstance(model, nn.Module):
        take_copies_off(model)
    carried = getattr(model, "preparation", None)
    if callable(carried):  # a toy or a specimen knows how it wants to be wrapped
        prepared: Preparation = carried()
        return prepared
    shown = example.inputs if isinstance(example, Stimuli) else example
    if shown is not None:
        shown = Stimuli(shown).inputs
    if as_module and isinstance(getattr(model, "__dict__", {}).get(MARK), Preparation):
        raise InputError("this model is wrapped as a transformer already; prep.unwrap() first, then as_module=True")
    if (is_bridge(model) or is_transformers_model(model)) and not as_module:
        takes_over = not copy and not is_bridge(model) and MARK not in model.__dict__
        prepared = wrap_transformer(model, tokenizer, copy, shown, check)
        if takes_over:
            logger.warning(
                "ap.wrap takes this %s over: its modules are rewired until prep.unwrap(). copy=True wraps a copy",
                type(model).__name__,
            )
        return prepared
    net = check_plain(copying.deepcopy(model) if copy else model)
    take_copies_off(net)
    return Preparation(TorchAdapter(net, shown, steps), tokenizer=tokenizer)


def wrap_transformer(
    model: Any, tokenizer: Any, copy: bool = False, example: Inputs | None = None, check: bool = True
) -> Preparation:
    """The preparation of a transformers model or bridge; the same one each time."""
    if copy and is_bridge(model):
        raise InputError("a copied TransformerBridge shares its config with the original; copy the transformers model")
    known = model.__dict__.get(MARK)
    if isinstance(known, Preparation):
        if copy:
            raise InputError("this model is wrapped already; prep.unwrap() first, then wrap with copy=True")
        return known
    if copy:
        model = copying.deepcopy(model)
    before = Before.of(model, example) if check and not is_bridge(model) else None
    with Changes() as changes:
        adapter = TransformerAdapter(model, tokenizer, example, changes)
        if before is not None:
            check_wrapping(adapter, before)
        prep = Preparation(adapter, tokenizer=tokenizer or adapter.tokenizer, bridge=adapter.bridge)
        if before is not None and not before.outputs:  # a model that none but its user can run
            prep.on_look = lambda shown: check_wrapping(adapter, Before.of(adapter.twin(), shown))
        owners = [model, adapter.bridge, adapter.root]
        for owner in owners:
            changes.set(owner.__dict__, MARK, prep)
        prep.on_unwrap = lambda: [owner.__dict__.pop(MARK, None) for owner in owners]
        changes.keep()
    return prep


def check_plain(model: Any) -> nn.Module:
    """The model, or an error that says what else to wrap."""
    if not isinstance(model, nn.Module):
        raise InputError(
            f"ap.wrap got a {type(model).__name__}; wanted a torch.nn.Module, a transformers model, a "
            "TransformerBridge, a toy or a specimen"
        )
    for name, module in model.named_modules():
        where = f"its module {name!r}" if name else "this model"
        if type(module).__name__ == "OptimizedModule":
            raise InputError(
                f"{where} is compiled: hooks inside it do not run. Wrap the original one (model._orig_mod) and "
                "compile after you are done"
            )
        if isinstance(module, torch.jit.ScriptModule):
            raise InputError(
                f"{where} was made by torch.jit ({type(module).__name__}): hooks inside it do not run. Wrap the "
                "network in Python that it was traced or scripted from"
            )
        if any(is_lazy(p) for p in (*module.parameters(recurse=False), *module.buffers(recurse=False))):
            raise InputError(
                f"{where} ({type(module).__name__}) is lazy and has no weights yet; run the network once on an input, "
                "then wrap it"
            )
    return model
