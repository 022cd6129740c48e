"""Ground-truth networks: tiny models whose right answers are known and travel with them as data.

Read toy; logic, textbook, decoys, connections, subset_truths, enumerated_truths. Of reading: readouts, codes,
confounds, mixed_codes, temporal_codes, populations, clouds. In time: multisensory, dynamics, bounds, bandits, memories,
attractors. Programs: induction, program_net, programs, compiler, compiled; padded. Trained: stored_weights,
superposition, sparsity_sweep, tiny_tasks, tiny_recurrent, modular_addition, modular_addition_trained, deep_linear,
training. Families: gadgets, planted_networks, planted_circuits, single_mechanisms. Last the catalogue.
"""

from artiphys.toys.catalogue import load, names
from artiphys.toys.planted_circuits import planted
from artiphys.toys.single_mechanisms import mechanisms
from artiphys.toys.sparsity_sweep import superposition_sweep
from artiphys.toys.toy import Toy, Truth

__all__ = ["Toy", "Truth", "load", "mechanisms", "names", "planted", "superposition_sweep"]
