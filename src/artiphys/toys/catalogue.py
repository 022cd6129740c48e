"""Toys by name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from artiphys.border import border
from artiphys.errors import InputError, unknown
from artiphys.toys.by_hand import induction, padded, programs
from artiphys.toys.compilation import compiled, compiler
from artiphys.toys.families.planted_circuits import planted
from artiphys.toys.in_time import attractors, bandits, bounds, dynamics, memories, multisensory
from artiphys.toys.reading import clouds, codes, confounds, mixed_codes, populations, temporal_codes
from artiphys.toys.toy import Toy
from artiphys.toys.trained import deep_linear, modular_addition, modular_addition_trained, superposition, tiny_recurrent
from artiphys.toys.units import connections, decoys, logic, textbook

_MAKERS: dict[str, Callable[..., Toy]] = {
    "and": logic.conjunction,
    "or": logic.disjunction,
    "xor": logic.xor,
    "xor_redundant": logic.xor_redundant,
    "backup": logic.backup,
    "synergy": logic.synergy,
    "parity3": logic.parity3,
    "gate": decoys.gate,
    "bias_unit": decoys.bias_unit,
    "epiphenomenal": decoys.epiphenomenal,
    "suppressor": decoys.suppressor,
    "variance_code": codes.variance_code,
    "bystander": decoys.bystander,
    "integrator": dynamics.integrator,
    "leaky_integrator": dynamics.leaky_integrator,
    "noisy_integrator": dynamics.noisy_integrator,
    "bounded_integrator": bounds.bounded_integrator,
    "bandit": bandits.bandit,
    "ring_attractor": attractors.ring_attractor,
    "feedforward_ring": attractors.feedforward_ring,
    "multisensory": multisensory.multisensory,
    "multisensory_add_last": multisensory.added_last,
    "multisensory_multiply_last": multisensory.multiplied_last,
    "induction_head": induction.induction_head,
    "induction_edges": induction.induction_edges,
    "cancelling_paths": connections.cancelling_paths,
    "diagonal": connections.diagonal,
    "ring": connections.ring,
    "additive": textbook.additive,
    "majority3": textbook.majority3,
    "majority5": textbook.majority5,
    "dictator": textbook.dictator,
    "null_player": textbook.null_player,
    "glove": textbook.glove,
    "opposing": textbook.opposing,
    "greedy_trap": textbook.greedy_trap,
    "relay": memories.relay,
    "refresh": memories.refresh,
    "reverse": programs.reverse,
    "count": programs.count,
    "sort": programs.sort,
    "padded_prompts": padded.padded_prompts,
    "planted": planted,
    "planted_connections": functools.partial(planted, 12, connections=True),
    "planted_recurrent": functools.partial(planted, 12, kind="recurrent"),
    "planted_attention": functools.partial(planted, 12, kind="attention"),
    "superposition": superposition.superposition,
    "antipodal_pair": superposition.antipodal_pair,
    "polytope": superposition.polytope,
    "feature_pair": superposition.feature_pair,
    "tiny_rnn": tiny_recurrent.tiny_rnn,
    "tiny_detector": tiny_recurrent.tiny_detector,
    "tiny_accumulator": tiny_recurrent.tiny_accumulator,
    "tiny_two_lever": tiny_recurrent.tiny_two_lever,
    "tiny_multisensory": tiny_recurrent.tiny_multisensory,
    "modular_addition": modular_addition.modular_addition,
    "modular_addition_trained": modular_addition_trained.modular_addition_trained,
    "deep_linear": deep_linear.deep_linear,
    "erasure_residue": codes.erasure_residue,
    "noisy_channel": codes.noisy_channel,
    "sessions": confounds.sessions,
    "luminance": confounds.luminance,
    "letters_and_phonemes": confounds.letters_and_phonemes,
    "mixed_selectivity": mixed_codes.mixed_selectivity,
    "abstract_code": mixed_codes.abstract_code,
    "random_expansion": mixed_codes.random_expansion,
    "sparse_code": mixed_codes.sparse_code,
    "rotating_code": temporal_codes.rotating_code,
    "far_pair": temporal_codes.far_pair,
    "poisson_population": populations.poisson_population,
    "fisher_population": populations.fisher_population,
    "continuum": clouds.continuum,
    "clusters": clouds.clusters,
    "index_pileup": clouds.index_pileup,
}
# Compiled by an optional package: known always, listed where it is installed.
_COMPILED: dict[str, Callable[..., Toy]] = {
    "compiled_adder": compiled.adder,
    "compiled_reversal": compiled.reversal,
    "compiled_counting": compiled.counting,
    "compiled_induction": compiled.induction,
}


def names() -> list[str]:
    """Names of all toys; those that torchwright compiles are among them where it is installed.

    >>> names()[:3]
    ['and', 'or', 'xor']
    """
    return [*_MAKERS, *(_COMPILED if compiler.installed() else ())]


@border
def load(name: str, **options: Any) -> Toy:
    """A toy by name; some take options, such as ``load("integrator", leak=0.8)``.

    Raises
    ------
    InputError
        If there is no such toy, it takes no such option, or it needs a package that is not installed.

    >>> [t.expected for t in load("xor").truth if t.analysis == "shapley" and t.kind == "zero"]
    [{'hidden.0': 0.375, 'hidden.1': 0.125}]
    """
    makers = _MAKERS | _COMPILED
    if name not in makers:
        raise InputError(unknown("toy", name, names()))
    try:
        return makers[name](**options)
    except TypeError as error:
        raise InputError(f"toy {name!r} does not take these options: {error}") from error
