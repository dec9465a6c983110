"""Every command with what it does: the usage of `sgm` is printed, and the dashboard starts, without loading any."""

from __future__ import annotations

from collections.abc import Mapping

COMMANDS: Mapping[str, str] = {
    "demo": "run an embedded demo fleet and open its dashboard",
    "sandbox": "serve the embedded demo fleet until interrupted",
    "status": "print the state of the fleet once",
    "promote": "promote a version into a stage, as a pull request",
    "revert": "revert the last promotion, as a pull request",
    "rollout": "resume, abort, retry, pause or restart a rollout",
    "plan": "show, open or recover the plan",
    "prs": "list and act on pull requests that change the fleet",
    "history": "the versions of each cell, newest first",
    "audit": "local audit log; verify its hash chain",
    "lint": "check a GitOps repository for mistakes",
    "completion": "print a completion script: bash, zsh, fish, tcsh",
    "help": "show the usage of a command, or a manual page",
}
"""In the order of the usage."""

MODULES: Mapping[str, str] = {"help": "manual"}
"""The modules of `commands` that are not called like their command."""
