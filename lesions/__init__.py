"""Lesions: writing to a network, always undone; games on lesions, and what each player contributes."""

from artiphys.lesions.apply import lesioned
from artiphys.lesions.banzhaf import banzhaf
from artiphys.lesions.game import Game
from artiphys.lesions.gradient import attribution
from artiphys.lesions.lesion import Lesion
from artiphys.lesions.result import Attribution
from artiphys.lesions.shapley import shapley
from artiphys.lesions.single import single_lesions

__all__ = ["Attribution", "Game", "Lesion", "attribution", "banzhaf", "lesioned", "shapley", "single_lesions"]
