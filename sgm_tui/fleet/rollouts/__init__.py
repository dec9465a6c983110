"""Argo Rollouts: deriving what a Rollout is doing, and the actions a person can take on it."""
