"""Patterns, versions, addresses and label selectors, matched as Argo CD, Helm and Kubernetes do."""
