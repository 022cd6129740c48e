"""Adapters: the table of sites of each family of networks.

Read adapter, module_events, torch_module, recurrent, transformer; then stages, last_block.
"""
