"""Credentials, tenant headers and trusted certificates for a Prometheus, from `prometheus` in sgm.yaml."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from sgm_tui.config.schema import MetricsConfig
from sgm_tui.errors import UnreachableError
from sgm_tui.private_files import read_secret


def headers_for(url: str, config: MetricsConfig) -> dict[str, str]:
    """Return the headers of every query: the configured ones, and a bearer token if it may be sent to this host.

    Raises:
        UnreachableError: the token file cannot be read.
    """
    headers = dict(config.headers)
    if config.token_file is not None and _may_send(url, config):
        headers["Authorization"] = f"Bearer {read_secret('prometheus.token_file', config.token_file)}"
    return headers


def basic_auth_for(url: str, config: MetricsConfig) -> tuple[str, str] | None:
    """Return user and password; None where none are configured, or they may not be sent to this host.

    Raises:
        UnreachableError: the file cannot be read, or holds no `user:password`.
    """
    if config.basic_auth_file is None or not _may_send(url, config):
        return None
    user, separator, password = read_secret("prometheus.basic_auth_file", config.basic_auth_file).partition(":")
    if not separator:
        raise UnreachableError(f"prometheus.basic_auth_file {config.basic_auth_file} holds no user:password")
    return user, password


def authorities(config: MetricsConfig, environ: Mapping[str, str] = os.environ) -> str | bool:
    """Return the file or folder of certificate authorities to trust; True for those that come with the client.

    REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE are what `requests` itself reads.

    Raises:
        UnreachableError: the configured file is not there.
    """
    if config.ca_file is not None:
        if not config.ca_file.exists():
            raise UnreachableError(f"prometheus.ca_file {config.ca_file} does not exist")
        return str(config.ca_file)
    return environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE") or True


def _may_send(url: str, config: MetricsConfig) -> bool:
    return config.credential_hosts is None or urlsplit(url).hostname in config.credential_hosts
