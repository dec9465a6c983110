"""Remove secrets from the texts of screens, logs, pull requests and reports."""

from __future__ import annotations

import re
from collections.abc import Mapping

_USER_INFORMATION = re.compile(r"(?<=://)(?!git@)[^/\s?#]+(?=@)")
"""User name and password of a URL (RFC 3986 §3.2.1); `git@` is no secret but part of a repository's address."""
_SECRETS = (
    re.compile(r"gh[pousr]_\w{16,}|github_pat_\w{20,}|glpat-[\w-]{16,}|AKIA[A-Z0-9]{16}"),
    re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*"),
    re.compile(r"(?i)(?<=bearer )[\w.~+/=-]{8,}|(?<=basic )[\w+/=]{8,}"),
    re.compile(r"-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|\Z)", re.DOTALL),
)
_NAMES = re.compile(
    r"(?i)token|secret|passw|pwd$|(?:api|access|private|subscription)[-_.]?key|credential|signature|^(?:sig|key|auth)$"
)
"""Names of variables and parameters that hold secrets."""
_PARAMETER = re.compile(r"(?<![\w.-])([\w.-]{1,64})=([^\s&;'\"]+)")
"""`name=value`, as in the query of a URL."""
_SHORTEST = 6
"""Characters of the shortest value that is removed; a shorter one could be part of any word."""


def is_secret_name(name: str) -> bool:
    """Return whether a variable or parameter of this name holds a secret."""
    return bool(_NAMES.search(name))


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
    return _PARAMETER.sub(_without_value, text) if "=" in text else text


def _without_value(parameter: re.Match[str]) -> str:
    return f"{parameter[1]}=***" if is_secret_name(parameter[1]) else parameter[0]
