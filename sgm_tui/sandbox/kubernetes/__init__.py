"""The embedded Kubernetes: API servers over HTTP, object storage, and the built-in controllers."""
