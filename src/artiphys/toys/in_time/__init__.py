"""Networks that run in time: evidence, memory, choice and learning.

Read multisensory, dynamics, bounds, bandits, memories, attractors.
"""
