"""Ground-truth networks: tiny models whose right answers are known and travel with them as data.

Read toy, logic, textbook, decoys, codes, dynamics, memories, connections, induction, subset_truths,
planted_circuits; then the trained ones: stored_weights and enumerated_truths, superposition, sparsity_sweep,
tiny_tasks, tiny_recurrent, modular_addition, modular_addition_trained, deep_linear, and training; last the catalogue.
"""

from artiphys.toys.catalogue import load, names
from artiphys.toys.planted_circuits import planted
from artiphys.toys.sparsity_sweep import superposition_sweep
from artiphys.toys.toy import Toy, Truth

__all__ = ["Toy", "Truth", "load", "names", "planted", "superposition_sweep"]
