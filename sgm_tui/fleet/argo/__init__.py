"""Pure rules of Argo CD: sync windows and cron, globs, Go templates, and the expansion of ApplicationSets."""
