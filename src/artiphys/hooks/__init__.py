"""Hooks on a network: reads and writes of sites for a while, always undone.

Read nested, batch_rows, taps, tapping; then rerouting.
"""
