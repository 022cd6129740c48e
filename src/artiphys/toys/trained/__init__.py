"""Networks that were trained, with the recipes and the weights: superposition, tiny recurrent networks, arithmetic.

Read stored_weights, superposition, sparsity_sweep, tiny_tasks, tiny_recurrent, modular_addition,
modular_addition_trained, deep_linear; training has the recipes.
"""
