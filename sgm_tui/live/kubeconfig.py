"""The API client of one kubeconfig context: the one module that knows the `kubernetes` package.

The package reads the kubeconfig, runs the credential program it names, and transports the requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION, KubeConfigLoader, KubeConfigMerger

from sgm_tui.errors import UnreachableError
from sgm_tui.threads import Lane, run_in
from sgm_tui.transport.streaming import refuse_redirects
from sgm_tui.untrusted_text import clean
from sgm_tui.user_directories import home_directory

_HINT = "Check the kubeconfig and the cluster's `context` in sgm.yaml."


async def load_client(kubeconfig: Path | None, context: str) -> Any:
    """Return a signed-in client for a context, made from the kubeconfig as it is now.

    Args:
        kubeconfig: a file; None reads those that KUBECONFIG lists, or ~/.kube/config.
        context: the name of the context.

    Raises:
        ConfigException, OSError, ValueError, LookupError, TypeError: it cannot be loaded; see `signing_in`.
    """
    if problem := _find_missing(kubeconfig):
        raise ConfigException(problem)
    with _logged_errors() as errors:
        client = await _make_client(kubeconfig, context)
    if errors:
        await client.close()
        raise ConfigException(errors[0])
    return client


@contextlib.asynccontextmanager
async def signing_in(context: str, seconds: float) -> AsyncIterator[None]:
    """Limit the time of a block that gets a credential, and translate its errors.

    Raises:
        UnreachableError: the credential program hangs or prints something unusable, or the kubeconfig is unusable.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        problem = f"its credential program did not answer within {seconds:.0f} s"
        raise UnreachableError(f"context {context}: {problem}", _HINT) from error
    except (ConfigException, OSError) as error:
        raise UnreachableError(f"context {context}: {clean(error)}", _HINT) from error
    except (ValueError, LookupError, TypeError) as error:
        # A kubeconfig or an ExecCredential may have any shape; the loader raises whatever that leads to.
        problem = f"its kubeconfig entry, or what its credential program printed, is not complete ({clean(error)})"
        raise UnreachableError(f"context {context}: {problem}", _HINT) from error


async def _make_client(kubeconfig: Path | None, context: str) -> Any:
    configuration = type.__call__(Configuration)  # a new one: the class hands out copies of a default
    sign_in = await run_in(Lane.CREDENTIALS, _read_kubeconfig, kubeconfig, context, configuration)
    if sign_in is not None:
        await sign_in
    configuration.trace_configs = [refuse_redirects()]
    # In a thread, because it reads the certificates that are trusted.
    return await run_in(Lane.CREDENTIALS, lambda: ApiClient(configuration=configuration))


def _read_kubeconfig(kubeconfig: Path | None, context: str, configuration: Any) -> Coroutine[Any, Any, None] | None:
    """Read the kubeconfig into `configuration`; return what remains to be awaited where a program or service signs in.

    It blocks: files are read, and large ones parsed in Python.
    """
    merged = KubeConfigMerger(str(kubeconfig or KUBE_CONFIG_DEFAULT_LOCATION)).config
    _resolve_programs(merged)
    loader = KubeConfigLoader(config_dict=merged, config_base_path=None, active_context=context)
    loading: Coroutine[Any, Any, None] = loader.load_and_set(configuration)
    user = _user_of(merged, context)
    if "exec" in user or "auth-provider" in user:
        return loading
    with contextlib.suppress(StopIteration):
        # Without those it awaits nothing, and ends with its first step.
        loading.send(None)
    return None


def _user_of(merged: Any, context: str) -> Mapping[str, Any]:
    """Return the user entry of a context; an empty one where it has none."""
    name = merged["contexts"].get_with_name(context)["context"].safe_get("user")
    entry = merged["users"].get_with_name(name, safe=True) if name else None
    user = entry.value.get("user") if entry is not None and isinstance(entry.value, dict) else None
    return user if isinstance(user, dict) else {}


def _resolve_programs(merged: Any) -> None:
    """Make relative paths of credential programs absolute.

    A command with a slash counts from the kubeconfig that names it, one without is looked up on PATH (client-go,
    `tools/clientcmd`, ResolveLocalPaths of an ExecConfig).
    """
    for entry in merged.value["users"] if merged is not None else ():
        user = entry.value.get("user") if isinstance(entry.value, dict) else None
        program = user.get("exec") if isinstance(user, dict) else None
        command = program.get("command") if isinstance(program, dict) else None
        if (
            isinstance(program, dict)
            and isinstance(command, str)
            and "/" in command
            and not Path(command).is_absolute()
        ):
            program["command"] = str(Path(entry.path).absolute().parent / command)


def _find_missing(kubeconfig: Path | None) -> str:
    """Return why there is no kubeconfig to read; "" where there is one."""
    if kubeconfig is not None:
        return "" if kubeconfig.is_file() else f"there is no kubeconfig {kubeconfig}"
    variable = os.environ.get("KUBECONFIG", "")
    files = [Path(name) for name in variable.split(os.pathsep) if name] or [
        home_directory(os.environ) / ".kube" / "config"
    ]
    if any(file.is_file() for file in files):
        return ""
    where = f"KUBECONFIG={variable}" if variable else "KUBECONFIG is not set, and ~/.kube/config"
    return f"there is no kubeconfig: {where} is not there"


_current_collector: ContextVar[logging.Handler | None] = ContextVar("current_collector", default=None)
"""Collects the errors of the kubeconfig loader in this task and in the threads it uses."""


class _ErrorCollector(logging.Handler):
    """Keeps the errors that the kubeconfig loader logs on behalf of one task."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message of a record, unless it is about another cluster that is loading at the same time."""
        if _current_collector.get() is self:
            self.messages.append(record.getMessage())


@contextlib.contextmanager
def _logged_errors() -> Iterator[list[str]]:
    """Collect what the loader logs: it only logs that a credential program failed, and goes on without credentials."""
    collector, logger = _ErrorCollector(), logging.getLogger("kubernetes.aio.config.kube_config")
    logger.addHandler(collector)
    _current_collector.set(collector)
    try:
        yield collector.messages
    finally:
        logger.removeHandler(collector)
