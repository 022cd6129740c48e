"""Mutual information in bits, with the bias of few trials taken out.

Read tables, units.
"""
