"""The embedded OCI registry."""
