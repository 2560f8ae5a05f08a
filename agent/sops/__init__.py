"""Manifests encrypted with SOPS, opened where they are applied and nowhere else: in this process, in memory.

The format is SOPS 3's: AES-256-GCM for each leaf, a MAC over the whole file, the data key wrapped for age and PGP
recipients, possibly split between groups of them. Keys of cloud services are refused by name.
"""
