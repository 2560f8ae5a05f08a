"""Clusters as their agents tell of them."""
