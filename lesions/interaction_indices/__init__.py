"""Interactions: what players do together that they do not do apart.

Read result, reading, then interactions.
"""
