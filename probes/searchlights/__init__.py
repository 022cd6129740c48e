"""Decoding at every neighbourhood of units.

Read searchlight, neighbourhoods, places, undecided, clusters, result.
"""
