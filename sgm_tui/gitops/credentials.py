"""Who we are to a git remote: our GitHub token, or what the user's own git credential helpers have for it."""

from __future__ import annotations

import base64
import math
import os
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

_SECONDS = 10
_FRESH_SECONDS = 300.0
"""How long an answer is used: helpers hand out tokens that expire."""
_SILENT = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "SSH_ASKPASS": "true", "GCM_INTERACTIVE": "never"}


@dataclass(frozen=True, slots=True)
class _Credential:
    user: str
    password: str


class RemoteCredentials:
    """The credentials of one remote; everything runs in threads, since helpers are programs."""

    def __init__(self, url: str, token: Callable[[], str] | None) -> None:
        """Use `token`, asked for each request, where it has one; the helpers answer for other https remotes."""
        self._url = url
        self._token = token
        self._helped: _Credential | None = None
        self._asked_at = -math.inf

    def authorization(self) -> str:
        """Return the Authorization header for the remote; "" where there are no credentials, or it is not http(s)."""
        scheme = urlsplit(self._url).scheme
        token = self._token() if self._token else ""
        if token and scheme in {"http", "https"}:
            return _basic(_Credential("x-access-token", token))
        if scheme != "https":
            return ""
        if time.monotonic() - self._asked_at >= _FRESH_SECONDS:
            self._helped, self._asked_at = _fill(self._url), time.monotonic()
        return _basic(self._helped) if self._helped is not None else ""

    def removed_from(self, text: str) -> str:
        """Return the text without our credentials, in case the server repeats them."""
        text = re.sub(r"(https?://)[^/\s]*@", r"\1", text)
        token = self._token() if self._token else ""
        credentials = [_Credential("x-access-token", token)] if token else []
        for credential in (*credentials, *([self._helped] if self._helped is not None else [])):
            text = text.replace(credential.password, "***").replace(_basic(credential).split()[1], "***")
        return text


def _basic(credential: _Credential) -> str:
    """Return an Authorization header; GitHub takes a token as the password of any user."""
    return "Basic " + base64.b64encode(f"{credential.user}:{credential.password}".encode()).decode()


def _fill(url: str) -> _Credential | None:
    try:
        answer = subprocess.run(
            ["git", "credential", "fill"],
            input=f"url={url}\n\n",
            env={**os.environ, **_SILENT},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    fields = dict(line.split("=", 1) for line in answer.stdout.splitlines() if "=" in line)
    password = fields.get("password", "")
    return _Credential(fields.get("username", ""), password) if answer.returncode == 0 and password else None
