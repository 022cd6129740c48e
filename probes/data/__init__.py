"""Activity, values of trials and confounds, in the forms that all probes take.

Read activity, trial_values, angles, units, unit_axes, held_units, recurring_items, order_in_time, design, confounds,
pooled_null.
"""
