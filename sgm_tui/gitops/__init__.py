"""Desired state: reads and edits the GitOps repository through our own bare clone, never a user's checkout."""
