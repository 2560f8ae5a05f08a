"""From an ApplicationSet and the fleet to Applications, or problems (hop 2 of a change)."""
