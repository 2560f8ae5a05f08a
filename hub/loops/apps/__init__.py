"""Applications to bundles (hop 3 of a change): the parts of `renderer`."""
