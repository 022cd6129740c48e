"""How the values of coalitions are computed: prefixes shared, batches that grow, memory, executors.

Read setup, prefix_tree, growing_batch, layout, runner, batch_checks, layout_search, remembered_checks, coalition_rows,
evaluator; then batch_size, memory, fitting_in_memory and blocks; then closed_loop, executors and cost.
"""
