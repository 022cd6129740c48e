"""Real trained networks that install from the package index, with a task each; no hub is asked.

Read specimen, smollm2, minilm, efficientnet, then catalogue.
"""

from artiphys.specimens.catalogue import load, names
from artiphys.specimens.specimen import Specimen

__all__ = ["Specimen", "load", "names"]
