"""Clusters of units, held against a continuum.

Read cell_types, cluster_tests, mixtures, cuts, valley, curves, halves, tree, animals, shapes, result.
"""
