"""Mutual information in bits: of tables of counts, and of single units about a stimulus. Read tables, then units."""
