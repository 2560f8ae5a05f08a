"""From an Application to what is rendered for it, and by which policy it is synced (hop 3 of a change)."""
