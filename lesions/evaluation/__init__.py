"""How the values of coalitions are computed: prefixes shared, batches that grow, memory, executors.

Read setup, prefix_tree, growing_batch, layout, runner, batch_checks, staging, per_preparation, evaluator; then
batch_size, memory and blocks; then closed_loop, executors and cost.
"""
