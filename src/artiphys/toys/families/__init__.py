"""Families: new networks without end, with a circuit planted in each.

Read gadgets, planted_networks, formula_check, planted_circuits, single_mechanisms.
"""
