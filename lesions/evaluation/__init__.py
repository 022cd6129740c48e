"""How the values of coalitions are computed. Read setup, runner, prefix_tree, growing_batch, layout, staging, batch_checks,
evaluator, batch_size, memory, blocks, then executors, closed_loop and cost."""
