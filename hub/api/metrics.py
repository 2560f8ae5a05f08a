"""What the API counts of itself, for `/metrics`."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("argosy_api_requests", "Requests answered.", ["method", "code"])
SECONDS = Histogram(
    "argosy_api_request_seconds",
    "Time to answer a request, watches not counted.",
    ["method"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
)
WATCHES = Gauge("argosy_api_watches", "Watches that are open.")
EVENTS = Counter("argosy_api_watch_events", "Changes made ready for watchers.", ["resource"])
