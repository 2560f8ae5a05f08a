"""A release on its way over the fleet: who may move now, what is waited for, when it is over (hop 5 of a change)."""
