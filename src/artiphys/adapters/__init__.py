"""Adapters: the table of sites of each family of networks.

Read adapter, module_events, in_series, torch_module, recurrent, transformer; then stages, last_block.
"""
