"""The simulated Argo CD: Applications, ApplicationSets, comparison, sync and health."""
