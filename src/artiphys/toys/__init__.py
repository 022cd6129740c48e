"""Ground-truth networks: tiny models whose right answers are known and travel with them as data.

Read toy, subset_truths and enumerated_truths; then the networks: units, reading, in_time, by_hand, compilation,
trained, families; last the catalogue.
"""

from artiphys.toys.catalogue import load, names
from artiphys.toys.families.planted_circuits import planted
from artiphys.toys.families.single_mechanisms import mechanisms
from artiphys.toys.toy import Toy, Truth
from artiphys.toys.trained.sparsity_sweep import superposition_sweep

__all__ = ["Toy", "Truth", "load", "mechanisms", "names", "planted", "superposition_sweep"]
