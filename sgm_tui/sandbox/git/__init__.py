"""The embedded GitOps repository: the bare git repository, its seed, and its generated history."""
