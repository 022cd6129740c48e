"""Hooks on a network: where sites lie, and reads and writes that are always undone. Read nested, batch_rows, taps, then tapping."""
