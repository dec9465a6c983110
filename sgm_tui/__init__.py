"""sgm-tui: the terminal cockpit of a GitOps platform."""

__version__ = "0.1.0"
