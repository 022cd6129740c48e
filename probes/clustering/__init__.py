"""Clusters of units, held against a continuum.

Read cell_types, continuum, valley, result.
"""
