"""What must not change now: freezes, overrides, and the sync windows of projects and of rollout policies."""
