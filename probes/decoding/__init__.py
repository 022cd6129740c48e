"""Cross-validated decoding. Read decode, task, folds, cross_validation, generalisation, control_tasks, labelled_result, result,
then transfer."""
