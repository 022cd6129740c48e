"""How the trained toys were trained: one script each, with its seed.

Run as ``python -m artiphys.toys.trained.training.<name>``.

Read superposition, tiny_recurrent, modular_addition, deep_linear.
"""
