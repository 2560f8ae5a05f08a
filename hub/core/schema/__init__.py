"""The shapes of Argo CD's objects: what the API server admits, field by field, and what Go's types keep (3.6)."""
