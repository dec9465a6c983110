"""HTTP with a limit on everything: time, size and the target of a redirect; shared by every adapter."""
