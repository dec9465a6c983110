"""YAML values files: one reader of values, one editor that changes single bytes, and one proof of each edit."""
