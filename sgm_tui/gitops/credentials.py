"""The credentials for a git remote: our GitHub token, or what the user's own git credential helpers return."""

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

_HELPER_SECONDS = 10
_CACHE_SECONDS = 300.0
"""How long an answer of the helpers is used: they hand out tokens that expire."""
_NO_PROMPTS = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "SSH_ASKPASS": "true", "GCM_INTERACTIVE": "never"}


@dataclass(frozen=True, slots=True)
class _Credential:
    user: str
    password: str


class RemoteCredentials:
    """The credentials for one remote; call it from a thread, since credential helpers are programs."""

    def __init__(self, url: str, token: Callable[[], str] | None) -> None:
        """Use the token `token` returns for each request, if any; else ask the helpers, for https remotes only."""
        self._url = url
        self._token = token
        self._from_helper: _Credential | None = None
        self._helper_ran_at = -math.inf

    def authorization(self) -> str:
        """Return the Authorization header for the remote; "" if there are no credentials, or it is not http(s)."""
        scheme = urlsplit(self._url).scheme
        token = self._token() if self._token else ""
        if token and scheme in {"http", "https"}:
            return _format_basic(_Credential("x-access-token", token))
        if scheme != "https":
            return ""
        if time.monotonic() - self._helper_ran_at >= _CACHE_SECONDS:
            self._from_helper, self._helper_ran_at = _run_credential_helper(self._url), time.monotonic()
        return _format_basic(self._from_helper) if self._from_helper is not None else ""

    def remove_from(self, text: str) -> str:
        """Return the text without our credentials, in case the server repeats them."""
        text = re.sub(r"(https?://)[^/\s]*@", r"\1", text)
        token = self._token() if self._token else ""
        credentials = [_Credential("x-access-token", token)] if token else []
        for credential in (*credentials, *([self._from_helper] if self._from_helper is not None else [])):
            text = text.replace(credential.password, "***").replace(_format_basic(credential).split()[1], "***")
        return text


def _format_basic(credential: _Credential) -> str:
    """Return an Authorization header; GitHub accepts a token as the password of any user."""
    return "Basic " + base64.b64encode(f"{credential.user}:{credential.password}".encode()).decode()


def _run_credential_helper(url: str) -> _Credential | None:
    """Return what `git credential fill` has for a URL; None if it has nothing or fails."""
    try:
        answer = subprocess.run(
            ["git", "credential", "fill"],
            input=f"url={url}\n\n",
            env={**os.environ, **_NO_PROMPTS},
            capture_output=True,
            text=True,
            timeout=_HELPER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    fields = dict(line.split("=", 1) for line in answer.stdout.splitlines() if "=" in line)
    password = fields.get("password", "")
    return _Credential(fields.get("username", ""), password) if answer.returncode == 0 and password else None
