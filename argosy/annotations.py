"""Labels and annotations of Kubernetes, kubectl and Argo CD that more than one part of Argosy reads or writes."""

from __future__ import annotations

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""What `kubectl apply` keeps of a manifest: all of it, secrets too."""
INITIAL_EVENTS_END = "k8s.io/initial-events-end"
"""On the bookmark after the objects that were there when a watch began (KEP-3157)."""
TRACKING_ID = "argocd.argoproj.io/tracking-id"
INSTALLATION_ID = "argocd.argoproj.io/installation-id"
INSTANCE_LABEL = "app.kubernetes.io/instance"
"""By which Argo CD knows its objects: the annotations, and the label unless `application.instanceLabelKey` says another."""
