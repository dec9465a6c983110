"""Compare git URLs: do two of them mean one repository, however each is spelled?"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

_SCP = re.compile(r"(?:[^@/\s]+@)?(\[[^\]]+\]|[^:/\s]+):(?!//)(.*)")
"""`git@host:path`, as ssh and scp write it."""
_PORTS = {"https": "443", "http": "80", "ssh": "22", "git": "9418"}
_SSH_HOSTS = {
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
    "ssh.dev.azure.com": "dev.azure.com",
    "vs-ssh.visualstudio.com": "dev.azure.com",
}
"""Hosts that serve a forge's repositories over ssh under another name than its own."""


@lru_cache(maxsize=4096)
def is_same_repository(url: str, other: str) -> bool:
    """Return whether two URLs mean one repository.

    Protocol, user, `.git`, a trailing slash, a default port and case do not matter. Ports are compared only between
    URLs of one protocol: ssh has another than https.
    """
    (family, host, port, path), (other_family, other_host, other_port, other_path) = _parts(url), _parts(other)
    if (host, path) != (other_host, other_path) or not path:
        return False
    return family != other_family or port == other_port


def _parts(url: str) -> tuple[str, str, str, str]:
    """Return protocol family, host, port ("" for the default) and path of a URL, normalised for comparison."""
    text = url.strip()
    scheme, marker, rest = text.partition("://")
    scheme = scheme.lower().removeprefix("git+").removesuffix("+git") if marker else ""
    port = ""
    if marker:
        authority, _, path = rest.partition("/")
        host = authority.rpartition("@")[2].lower()
        name, colon, digits = host.rpartition(":")
        if colon and digits.isdecimal():
            host, port = name, digits
        if port == _PORTS.get(scheme):
            port = ""
    elif scp := _SCP.fullmatch(text):
        scheme, host, path = "ssh", scp[1].lower(), scp[2]
    else:
        scheme = "https"
        host, _, path = text.rpartition("@")[2].partition("/")
        host = host.lower()
    web = scheme in {"http", "https"}
    return ("web" if web else scheme), _SSH_HOSTS.get(host, host), port, _path(host, path)


def _path(host: str, path: str) -> str:
    parts = [part for part in unquote(path.partition("?")[0].partition("#")[0]).lower().split("/") if part]
    if host in {"ssh.dev.azure.com", "vs-ssh.visualstudio.com"} and len(parts) == 4 and parts[0] == "v3":
        parts = [*parts[1:3], "_git", parts[3]]
    return "/".join(parts).removesuffix(".git")
