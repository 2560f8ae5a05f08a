"""Bundles to releases and to what each cluster is assigned (hops 4 and 6 of a change), for every loop that moves an app."""
