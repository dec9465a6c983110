"""The ready line of a running sandbox, and the private files it refers to.

All files are in one directory that only its owner can read. A sandbox that starts in the directory of an earlier one
reuses its token, ports and certificate, so that clients reconnect.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sgm_tui.private_files import make_private_directory

HUB = "hub"
"""The context of the cluster that runs Argo CD."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The ready line (design §6)."""

    config: str
    kubeconfig: str
    hub: str
    prometheus: Mapping[str, str]
    github: str
    repository: str
    git: str
    registry: str
    token_file: str
    pid: int

    def line(self) -> str:
        """Return one line of JSON, without a newline."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Address:
    """Where a sandbox listens: plain HTTP, and TLS for the Kubernetes APIs; 0 is any free port."""

    http: int = 0
    tls: int = 0


def private_directory(path: Path) -> Path:
    """Create a directory that only its owner can read."""
    make_private_directory(path)
    path.chmod(0o700)
    return path.resolve()


def write_private(path: Path, content: str | bytes) -> Path:
    """Write a file that only its owner can read, atomically."""
    data = content.encode() if isinstance(content, str) else content
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    draft.replace(path)
    return path


def token_in(directory: Path, requested: str = "") -> str:
    """Return the bearer token of a sandbox: the one passed, the one of its directory, or a new one of 256 bits."""
    path = directory / "token"
    if path.exists() and not requested:
        return path.read_text().strip()
    token = requested or secrets.token_hex(32)
    write_private(path, token)
    return token


def address_in(directory: Path) -> Address:
    """Return where the earlier sandbox of a directory listened."""
    path = directory / "address.json"
    if not path.exists():
        return Address()
    return Address(**json.loads(path.read_text()))


def remember_address(directory: Path, address: Address) -> None:
    """Store where this sandbox listens for a later one."""
    write_private(directory / "address.json", json.dumps(asdict(address)))


def kubeconfig(contexts: Sequence[str], base: str, token: str, authority: bytes) -> str:
    """Return a kubeconfig with a context for each API server, as JSON, which is YAML too."""
    trusted = base64.b64encode(authority).decode()

    def server(name: str) -> dict[str, str]:
        return {"server": f"{base}/clusters/{name}", "certificate-authority-data": trusted}

    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": HUB,
        "clusters": [{"name": name, "cluster": server(name)} for name in contexts],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "sandbox"}} for name in contexts],
        "users": [{"name": "sandbox", "user": {"token": token}}],
    }
    return json.dumps(document, indent=1)
