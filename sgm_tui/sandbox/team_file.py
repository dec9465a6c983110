"""Build the sandbox's `sgm.yaml`: the one of the repository with the addresses of the sandbox."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ruamel.yaml import YAML

from sgm_tui.sandbox.ready import HUB


def team_file(
    original: bytes, *, git: str, prometheus: Mapping[str, str], github: str, registry: str,
    kubeconfig: Path, token: Path, state: Path,
) -> str:  # fmt: skip
    """Return the text of the file; only addresses change, and comments stay."""
    editor = YAML()
    editor.width = 120
    document: dict[str, Any] = editor.load(original)
    document["repository"]["url"] = git
    for stage in document["stages"]:
        for cluster in stage["clusters"]:
            cluster["context"] = cluster["name"]
            cluster["prometheus"] = prometheus[cluster["name"]]
    document["argocd"]["hubs"] = [{"context": HUB, "namespace": "argocd"}]
    document["prometheus"] |= {"token_file": str(token), "interval_seconds": 5}
    document["github"] |= {"api_url": github, "token_file": str(token), "interval_seconds": 3}
    # Images keep their names; the sandbox stands in for their registry.
    hosts = [urlsplit(document["registry"]["url"]).hostname]
    document["registry"] = {"url": registry, "hosts": hosts, "token_file": str(token)}
    document["kubeconfig"] = str(kubeconfig)
    document["state_directory"] = str(state)
    out = io.StringIO()
    editor.dump(document, out)
    return out.getvalue()
