"""Ground-truth networks: tiny models whose right answers are known and travel with them as data.

Read toy, logic, decoys, codes, dynamics, induction, then catalogue.
"""

from artiphys.toys.catalogue import load, names
from artiphys.toys.toy import Toy, Truth

__all__ = ["Toy", "Truth", "load", "names"]
