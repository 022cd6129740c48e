"""All peers by name: those whose packages are installed, and what the others need."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

from artiphys.toys.toy import Toy, Truth
from artiphys.verification.decorator import method
from artiphys.verification.methods import CIRCUITS, Case, Found, Method
from artiphys.verification.peers import gradients, readings, searches, shapley_values

GRANTED = 0.05  # of what all players do together, to estimates from samples

_VALUES: dict[str, tuple[str, Callable[..., Any]]] = {
    "msapy": ("msapy", shapley_values.by_msapy),
    "shapiq KernelSHAP": ("shapiq", shapley_values.by_kernel_shap),
    "shapiq permutations": ("shapiq", shapley_values.by_permutations),
    "shapiq SVARM": ("shapiq", shapley_values.by_svarm),
    "shapiq ProxySHAP": ("shapiq", shapley_values.by_proxy_shap),
    "captum ShapleyValueSampling": ("captum", shapley_values.by_captum),
}
_RANKINGS: dict[str, Callable[..., Any]] = {
    "single lesions, ranked": searches.by_single_lesions,
    "activation patching": searches.by_patching,
    "Shapley values, ranked": searches.by_shapley,
    "random order": searches.at_random,
}
_SETS: dict[str, Callable[..., Any]] = {
    "ACDC-like pruning, .05": partial(searches.pruned, threshold=0.05),
    "ACDC-like pruning, .01": partial(searches.pruned, threshold=0.01),
    "forward greedy": searches.forward_greedy,
    "backward greedy": searches.backward_greedy,
}
_READINGS: dict[str, Callable[..., Any]] = {
    "probe weights": readings.probe_weights,
    "selectivity": readings.selectivity,
    "discriminability": readings.discriminability,
    "correlation": readings.correlation,
}
_GRADIENTS: dict[str, tuple[str, Callable[[Case], Found]]] = {
    "gradient x activation (captum)": ("captum", gradients.gradient_by_activation),
    "integrated gradients (captum)": ("captum", gradients.integrated_gradients),
    "learned masks": ("torch", gradients.learned_masks),
}
_EDGES = {
    "edge attribution patching": partial(gradients.edge_attribution, method="gradient"),
    "edge attribution, integrated": partial(gradients.edge_attribution, method="integrated"),
}
PACKAGES = ("captum", "msapy", "shapiq")


def missing_packages() -> list[str]:
    """Packages of peers that are not installed; their methods are not among `peer_methods`.

    captum and shapiq come with the extra ``peers``; msapy pins an older typeguard, so install it without its
    dependencies (``pip install --no-deps msapy 'fastprogress<1.1' ordered-set toml tqdm-joblib``).
    """
    return [name for name in PACKAGES if find_spec(name) is None]


def peer_methods() -> dict[str, Method]:
    """Other methods of the field by name, those whose packages are installed.

    Estimates of Shapley values are forgiven an error of 5 % of what all players do together. All others are examined as
    circuits under zero lesions: rankings by the first players that keep 95 % of the score, those that are tied
    together; but for "k-means by silhouette" (types of units) and "brain score" (what a site predicts).
    """
    absent = set(missing_packages())
    found = [
        method(fn, estimates="shapley", name=name, granted=GRANTED)
        for name, (package, fn) in _VALUES.items()
        if package not in absent
    ]
    found += [method(fn, estimates="ranking", name=name) for name, fn in _RANKINGS.items()]
    found += [method(fn, estimates="minimal circuits", name=name) for name, fn in _SETS.items()]
    found += [method(fn, estimates="reading", name=name) for name, fn in _READINGS.items()]
    found += [Method(name, fn, _of_units) for name, (package, fn) in _GRADIENTS.items() if package not in absent]
    found += [Method(name, fn, _of_connections) for name, fn in _EDGES.items()]
    found = [_under_zero_lesions(m) for m in found]
    found.append(Method("k-means by silhouette", readings.types_by_silhouette, _of_types))
    found.append(Method("brain score", readings.brain_score, _of_predictions))
    return {m.name: dataclasses.replace(m, peer=True) for m in found}


def _under_zero_lesions(m: Method) -> Method:
    claims = m.applies
    return dataclasses.replace(m, applies=lambda toy, truth: truth.kind == "zero" and claims(toy, truth))


def _of_types(toy: Toy, truth: Truth) -> bool:
    return truth.analysis == "cell types" and len(toy.players) == 1


def _of_predictions(toy: Toy, truth: Truth) -> bool:
    return truth.analysis.startswith("prediction") and "cortex" in toy.stimuli.conditions


def _of_units(toy: Toy, truth: Truth) -> bool:
    return truth.analysis == CIRCUITS and not toy.connections


def _of_connections(toy: Toy, truth: Truth) -> bool:
    return truth.analysis == CIRCUITS and bool(toy.connections)
