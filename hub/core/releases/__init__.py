"""From changed Applications to releases, and to what each cluster is assigned (hops 4 and 6 of a change)."""
