"""Repositories in use (hop 1 of a change): where their refs are, their trees, who signed them. Parts of several loops."""
