"""Moving clusters to a release in stages (hop 5 of a change): the parts of `mover`, and how `roller` begins."""
