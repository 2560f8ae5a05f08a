"""What an AppProject permits and asks for: sources, destinations, kinds, signatures, orphans (Argo CD 3.6)."""
