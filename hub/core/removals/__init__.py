"""What may go and what changes hands. Absence is not a command."""
