"""Domains of generated data, one file each."""
