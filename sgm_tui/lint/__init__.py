"""`sgm lint`: finds mistakes in a GitOps repository from its files alone.

`catalogue` describes every rule; each other module checks one subject; `run.lint` runs all checks; `render` and `sarif`
format the report. Only `checkout` reads a disk: the checks get their files as path → bytes.
"""
