"""How the trained toys were trained: one script each, with its seed; ``python -m artiphys.toys.training.<name>``.

Read superposition, tiny_recurrent, modular_addition, deep_linear.
"""
