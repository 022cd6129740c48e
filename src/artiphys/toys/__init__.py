"""Ground-truth networks: tiny models whose right answers are known and travel with them as data.

Read toy, logic, textbook, decoys, codes, dynamics, memories, connections, induction, subset_truths,
program_net, programs, compiler, compiled, planted_circuits, then catalogue.
"""

from artiphys.toys.catalogue import load, names
from artiphys.toys.planted_circuits import planted
from artiphys.toys.toy import Toy, Truth

__all__ = ["Toy", "Truth", "load", "names", "planted"]
