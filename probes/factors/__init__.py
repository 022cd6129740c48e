"""Selectivity for two task variables and their interaction.

Read mixed_selectivity, crossed, wald; then result.
"""
