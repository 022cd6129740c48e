"""Transformers by hand: heads whose roles are known, and prompts of different lengths.

Read induction, program_net, programs, padded.
"""
