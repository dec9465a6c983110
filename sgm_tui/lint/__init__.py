"""`sgm lint`: what is wrong with a GitOps repository, found in its files alone.

`catalogue` says what every rule is for; the modules beside it find; `run.lint` puts them together; `render` and
`sarif` print. Nothing here reads a disk: files come in as path → bytes.
"""
