"""Cross-validated decoding.

Read decode, task, folds, cross_validation, generalisation, control_tasks; then readout, result_from_scores, result,
transfer.
"""
