"""In-silico electrophysiology: the same recording, tuning, decoding and lesion lines on toys and transformers.

>>> import artiphys as ap
>>> toy = ap.toys.load("xor_redundant")
>>> prep = ap.wrap(toy)
>>> game = ap.Game(prep, toy.stimuli, toy.score, prep.players("hidden"), kind="zero")
>>> ap.single_lesions(game).values.values.round(3).tolist()
[0.0, 0.0, 0.25]
>>> ap.shapley(game).values.values.round(3).tolist()
[0.167, 0.167, 0.167]
"""

from artiphys import errors, scores, specimens, toys, verification
from artiphys.lesions import (
    Attribution,
    Circuit,
    CriticalSets,
    Edge,
    Game,
    Interactions,
    Lesion,
    attribution,
    banzhaf,
    critical_sets,
    interactions,
    lesioned,
    minimal_circuit,
    shapley,
    single_lesions,
)
from artiphys.preparation.preparation import Preparation
from artiphys.preparation.wrap import wrap
from artiphys.probes import (
    CellTypes,
    Components,
    Correlations,
    CountEncoding,
    Decoding,
    Detection,
    Dimensionality,
    MixedSelectivity,
    Psth,
    Searchlight,
    Tuning,
    cell_types,
    components,
    correlations,
    decode,
    detectability,
    dimensionality,
    encode_counts,
    mixed_selectivity,
    psth,
    searchlight,
    tuning_curves,
)
from artiphys.recording import Recording, record
from artiphys.sites import Site
from artiphys.stimuli import Stimuli
from artiphys.verification import Calibration, Scoreboard, calibrate, verify
from artiphys.version import __version__

__all__ = [
    "Attribution",
    "Calibration",
    "CellTypes",
    "Circuit",
    "Components",
    "Correlations",
    "CountEncoding",
    "CriticalSets",
    "Decoding",
    "Detection",
    "Dimensionality",
    "Edge",
    "Game",
    "Interactions",
    "Lesion",
    "MixedSelectivity",
    "Preparation",
    "Psth",
    "Recording",
    "Scoreboard",
    "Searchlight",
    "Site",
    "Stimuli",
    "Tuning",
    "__version__",
    "attribution",
    "banzhaf",
    "calibrate",
    "cell_types",
    "components",
    "correlations",
    "critical_sets",
    "decode",
    "detectability",
    "dimensionality",
    "encode_counts",
    "errors",
    "interactions",
    "lesioned",
    "minimal_circuit",
    "mixed_selectivity",
    "psth",
    "record",
    "scores",
    "searchlight",
    "shapley",
    "single_lesions",
    "specimens",
    "toys",
    "tuning_curves",
    "verification",
    "verify",
    "wrap",
]
