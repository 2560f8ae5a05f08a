"""What users wrote and the agent runs, jq expressions and health checks: in processes of their own that are ended in time."""
