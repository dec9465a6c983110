"""Plans: staged changes, the pull requests they become, and the waves they are opened in."""
