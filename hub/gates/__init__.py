"""Gates that are asked: one file each. Approvals and webhooks are not asked; people and callers come by themselves."""
