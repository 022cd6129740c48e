"""Codes: what can be read of activity, what it is worth, and how a reader is fooled.

Read readouts (what uses the codes), codes, confounds, mixed_codes, temporal_codes, populations, clouds.
"""
