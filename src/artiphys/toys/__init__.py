"""Ground-truth networks: tiny models whose right answers are known and travel with them as data.

Read toy, logic, textbook, decoys, codes, dynamics, memories, connections, induction, subset_truths, gadgets,
planted_networks, planted_circuits, single_mechanisms, then catalogue.
"""

from artiphys.toys.catalogue import load, names
from artiphys.toys.planted_circuits import planted
from artiphys.toys.single_mechanisms import mechanisms
from artiphys.toys.toy import Toy, Truth

__all__ = ["Toy", "Truth", "load", "mechanisms", "names", "planted"]
