"""Where GitHub's token comes from, and which hosts it may be sent to."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from urllib.parse import urlsplit

from sgm_tui.config.schema import Config, is_loopback
from sgm_tui.private_files import read_secret

_SECONDS = 10
_GITHUB_COM = ("GH_TOKEN", "GITHUB_TOKEN")
_ENTERPRISE = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")


def github_token(config: Config, environ: Mapping[str, str]) -> str:
    """Return the token for `github.api_url`, or "" where there is none that may be sent there.

    `github.token_file` comes first, then the environment's variables for that host, then `gh auth token` for it. As
    with the gh program, GH_TOKEN belongs to github.com and *.ghe.com and GH_ENTERPRISE_TOKEN to GH_HOST; a host that
    the user names gets either.

    Raises:
        UnreachableError: the token file cannot be read.
    """
    if config.github.token_file is not None:
        return read_secret("github.token_file", config.github.token_file)
    host = urlsplit(config.github.api_url).hostname or ""
    names = _variables_for(host, config, environ)
    return next((environ[name] for name in names if environ.get(name)), "") or _gh_token(web_host(host))


def why_no_token(config: Config, environ: Mapping[str, str]) -> str:
    """Return why a token of the environment is not sent to `github.api_url`; "" where that is not the reason."""
    host = urlsplit(config.github.api_url).hostname or ""
    unused = [name for name in _GITHUB_COM if environ.get(name)]
    if not unused or _variables_for(host, config, environ):
        return ""
    return f"{unused[0]} is not sent to {host}: name it in GH_HOST, or in trusted_hosts of your own configuration"


def web_host(api_host: str) -> str:
    """Return the host of a GitHub's pages and git repositories, given that of its API."""
    is_prefixed = api_host == "api.github.com" or api_host.endswith(".ghe.com")
    return api_host.removeprefix("api.") if is_prefixed else api_host


def may_send_to(remote: str, config: Config) -> bool:
    """Return whether the GitHub token may be sent to a git remote: over https to the same GitHub, or this machine."""
    parts = urlsplit(remote)
    host = parts.hostname or ""
    if is_loopback(host):
        return parts.scheme in {"http", "https"}
    return parts.scheme == "https" and host == web_host(urlsplit(config.github.api_url).hostname or "")


def _variables_for(host: str, config: Config, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables whose token belongs to a host, the strongest first."""
    if host == "api.github.com" or host.endswith(".ghe.com"):
        return _GITHUB_COM
    named_by_user = {environ.get("GH_HOST", ""), *config.trusted_hosts}
    if host in named_by_user or is_loopback(host):
        return (*_ENTERPRISE, *_GITHUB_COM)
    return _GITHUB_COM if host == urlsplit(environ.get("GITHUB_API_URL", "")).hostname else ()


def _gh_token(host: str) -> str:
    """Return the token that the gh program is signed in with for a host; "" where it has none."""
    program = shutil.which("gh")
    if program is None:
        return ""
    try:
        answer = subprocess.run(
            [program, "auth", "token", "--hostname", host],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
