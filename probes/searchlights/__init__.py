"""Decoding at every neighbourhood of units.

Read searchlight, neighbourhoods, result.
"""
