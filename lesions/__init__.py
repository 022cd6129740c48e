"""Lesions: writing to a network, always undone; games on lesions, and what each player contributes."""

from artiphys.lesions.apply import lesioned
from artiphys.lesions.attribution import Attribution, single_lesions
from artiphys.lesions.game import Game
from artiphys.lesions.lesion import Lesion
from artiphys.lesions.shapley import shapley

__all__ = ["Attribution", "Game", "Lesion", "lesioned", "shapley", "single_lesions"]
