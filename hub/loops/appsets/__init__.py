"""ApplicationSets to Applications (hop 2 of a change): the parts of `expander`."""
