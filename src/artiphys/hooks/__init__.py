"""Hooks on a network: reads and writes of sites for a while, always undone.

Read nested, batch_rows, changes, turns, claims, sender_activity, taps, hook_functions,
tapping; then rerouting, shared_setting.
"""
