"""Clusters of units, held against a continuum.

Read cell_types, cluster_tests, valley, result.
"""
