"""Secrets taken out of whatever a person, a log, a pull request or a report is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping

_USER_INFORMATION = re.compile(r"(?<=://)(?!git@)[^/\s@?#]+(?=@)")
"""User name and password of a URL (RFC 3986 §3.2.1); `git@` is everybody's and says where a repository is."""
_SECRETS = (
    re.compile(r"gh[pousr]_\w{16,}|github_pat_\w{20,}|glpat-[\w-]{16,}|AKIA[A-Z0-9]{16}"),
    re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*"),
    re.compile(r"(?i)(?<=bearer )[\w.~+/=-]{8,}|(?<=basic )[\w+/=]{8,}"),
    re.compile(r"-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|\Z)", re.DOTALL),
    re.compile(r"(?i)(?<=password=)[^\s&]+|(?<=token=)[^\s&]+|(?<=secret=)[^\s&]+"),
)
_NAMES = re.compile(r"(?i)token|secret|passw|api_?key|credential")
"""Variables of the environment with such a name hold what nobody else may read."""
_SHORTEST = 6
"""A shorter value may be part of any word."""


def without_user_information(text: str) -> str:
    """Return the text with user names and passwords of its URLs replaced by `***`."""
    return _USER_INFORMATION.sub("***", text) if "://" in text and "@" in text else text


def redact(text: str, environ: Mapping[str, str] | None = None) -> str:
    """Return the text without anything that looks like a secret, or is the value of a secret variable of `environ`."""
    for name, value in (environ or {}).items():
        if _NAMES.search(name) and len(value) >= _SHORTEST:
            text = text.replace(value, "***")
    text = without_user_information(text)
    for secret in _SECRETS:
        text = secret.sub("***", text)
    return text
