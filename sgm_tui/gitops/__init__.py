"""Desired state: the GitOps repository, read and edited through our own bare clone, never a user's checkout."""
