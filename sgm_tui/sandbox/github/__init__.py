"""The embedded GitHub: its REST and GraphQL APIs, pull requests, checks and the merge queue."""
