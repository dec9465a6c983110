"""The simulated Argo Rollouts controller: canary, blue-green and analysis."""
