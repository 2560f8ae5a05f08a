"""One pass over one app: `sync` is the pass, the other modules its parts (docs/architecture.md, One pass over one app)."""
