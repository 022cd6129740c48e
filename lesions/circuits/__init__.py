"""Circuits: which sets of players suffice for a behaviour, and which are missed when lesioned together.

Read question, subset_lattice, relevant_players, beams, gradient_pruning, search (how sets are found); trial_scores,
halves, stability, sizes (what is said of them); circuit_preparation, graph, edge_graph, result, critical_result; then
minimal_circuit, critical_sets.
"""
