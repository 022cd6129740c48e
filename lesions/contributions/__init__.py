"""What each player contributes to a behaviour, with both its uncertainties.

Read two_errors, result, single_lesions, shapley, banzhaf; then request, choice_of_method, methods, screening,
stopping; then result_from_estimate, stimulus_error; then gradients.
"""
