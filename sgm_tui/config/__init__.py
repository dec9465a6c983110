"""The configuration (sgm.yaml and its environment): the file, the typed values, and reading one into the other."""
