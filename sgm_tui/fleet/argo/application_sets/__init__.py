"""The rules by which Argo CD generates Applications from an ApplicationSet."""
