"""Where a recording is kept while it is made: in memory, or in a zarr directory that survives an interrupt.

Read store, in_memory, columns, zarr_directory.
"""
