"""Who may do what with the hub's API: users, roles, Argo CD's policies, and what is recorded of a change."""
