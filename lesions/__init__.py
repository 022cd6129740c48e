"""Lesions: writing to a network, always undone; games on lesions, and what each player contributes.

Read operations (one lesion), evaluation (many coalitions), cache (values known already), games, estimators (pure
numerics), contributions (what each player does), interaction_indices (what they do together), circuits (which suffice).
"""

from artiphys.lesions.circuits.critical_result import CriticalSets
from artiphys.lesions.circuits.critical_sets import critical_sets
from artiphys.lesions.circuits.minimal_circuit import minimal_circuit
from artiphys.lesions.circuits.result import Circuit
from artiphys.lesions.contributions.banzhaf import banzhaf
from artiphys.lesions.contributions.gradients import attribution
from artiphys.lesions.contributions.result import Attribution
from artiphys.lesions.contributions.shapley import shapley
from artiphys.lesions.contributions.single_lesions import single_lesions
from artiphys.lesions.games.game import Game
from artiphys.lesions.interaction_indices.interactions import interactions
from artiphys.lesions.interaction_indices.result import Interactions
from artiphys.lesions.operations.context import lesioned
from artiphys.lesions.operations.edge import Edge
from artiphys.lesions.operations.lesion import Lesion

__all__ = [
    "Attribution",
    "Circuit",
    "CriticalSets",
    "Edge",
    "Game",
    "Interactions",
    "Lesion",
    "attribution",
    "banzhaf",
    "critical_sets",
    "interactions",
    "lesioned",
    "minimal_circuit",
    "shapley",
    "single_lesions",
]
