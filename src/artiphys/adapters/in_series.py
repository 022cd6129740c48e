"""Which tensors of a module are the same by construction: what one child of a Sequential hands on to the next.

That two modules were seen to get the same tensor does not make it one site: other code may use it too, so that a write
at the input of one module must not reach the others. Only inside an `nn.Sequential`, and through an `nn.Identity`,
nothing else can.
"""

from __future__ import annotations

from torch import nn

from artiphys.adapters.module_events import Place

FIRST_ARGUMENT = (0, 0)


def origin(root: nn.Module, place: Place) -> Place:
    """The first place with the same value as a place, by construction; the place itself where there is none.

    >>> origin(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), ("1", True, (0, 0), 0))
    ('0', False, (), 0)
    """
    while (before := _before(root, place)) is not None:
        place = before
    return place


def _before(root: nn.Module, place: Place) -> Place | None:
    name, of_input, path, _ = place
    if not of_input:
        module = root.get_submodule(name)
        if type(module) is nn.Identity:
            return name, True, (*FIRST_ARGUMENT, *path), 0
        children = _in_series(module)
        return (_inside(name, children[-1]), False, path, 0) if children else None
    if not name or path[:2] != FIRST_ARGUMENT:
        return None
    parent, _, child = name.rpartition(".")
    siblings = _in_series(root.get_submodule(parent))
    if child not in siblings:
        return None
    i = siblings.index(child)
    return (_inside(parent, siblings[i - 1]), False, path[2:], 0) if i else (parent, True, path, 0)


def _in_series(module: nn.Module) -> list[str]:
    """Names of the children of a Sequential that runs them one after the other; none for other modules."""
    plain = isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward
    return [name for name, _ in module.named_children()] if plain and "forward" not in module.__dict__ else []


def _inside(name: str, child: str) -> str:
    return f"{name}.{child}" if name else child
