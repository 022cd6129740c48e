"""Cross-validated decoding.

Read decode, task, folds, metrics, cross_validation, generalisation, control_tasks; then readout, hit_rates,
result_from_scores, result, transfer.
"""
