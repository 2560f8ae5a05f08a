"""What runs by itself: one idempotent job per file, named -er. What they are made of is in the packages beside them."""
