"""What a configuration may name, and where credentials may go: a team file can be anybody's."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_config_file import SMALL, loaded

from sgm_tui.config.file import load
from sgm_tui.errors import ConfigError
from sgm_tui.forge.token import github_token, may_send_to, why_no_token

SECRET = "hunter2-and-more"
ADDRESSES = {
    "prometheus of a cluster": SMALL.replace("http://127.0.0.1:9090", "URL"),
    "server of a cluster": SMALL.replace("prometheus: http://127.0.0.1:9090", "server: URL"),
    "repository.url": SMALL.replace("https://github.com/acme/gitops.git", "URL"),
    "repository.web": SMALL.replace("stages:", "  web: URL\nstages:", 1),
    "argocd.url": SMALL + "argocd: {url: URL}\n",
    "github.api_url": SMALL + "github: {api_url: URL}\n",
    "grafana.url": SMALL + "grafana: {url: URL}\n",
    "registry.url": SMALL + "registry: {url: URL}\n",
}
FILES = {
    "github.token_file": SMALL + "github: {token_file: FILE}\n",
    "prometheus.token_file": SMALL + "prometheus: {token_file: FILE}\n",
    "prometheus.basic_auth_file": SMALL + "prometheus: {basic_auth_file: FILE}\n",
    "prometheus.ca_file": SMALL + "prometheus: {ca_file: FILE}\n",
    "registry.token_file": SMALL + "registry: {url: https://ghcr.io, token_file: FILE}\n",
}


@pytest.mark.parametrize("key", ADDRESSES)
@pytest.mark.parametrize("user", [f"mia:{SECRET}", SECRET, f":{SECRET}"], ids=["password", "token", "only a password"])
def test_an_address_with_credentials_is_refused_and_not_repeated(tmp_path: Path, key: str, user: str) -> None:
    with pytest.raises(ConfigError, match="contains a user name or password") as refused:
        loaded(tmp_path, ADDRESSES[key].replace("URL", f"https://{user}@host.example/x"))
    assert SECRET not in str(refused.value)
    assert "sgm.yaml:" in str(refused.value)
    assert refused.value.hint


@pytest.mark.parametrize("key", ADDRESSES)
@pytest.mark.parametrize(
    "address",
    [
        f"https://mia:{SECRET}/x@host.example/y",
        f"https://mia:{SECRET}#x@host.example/y",
        f"https://mia:{SECRET}?x@host.example/y",
        f"https://mia:x@{SECRET}@host.example/y",
        f"https://host.example/x?private_token={SECRET}",
        f"https://host.example/x?a=b&X-Amz-Signature={SECRET}",
        f"https://host.example/x?api-key={SECRET}",
        f"HTTPS://{SECRET}@HOST.example",
        f"git+https://{SECRET}@host.example/x",
        f"ssh://git:{SECRET}@host.example/x",
        f"mia:{SECRET}@host.example:x/y",
    ],
)
def test_a_secret_anywhere_in_an_address_is_refused_and_not_repeated(tmp_path: Path, key: str, address: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, ADDRESSES[key].replace("URL", f"'{address}'"))
    assert SECRET not in str(refused.value)
    if key == "repository.url":
        assert "contains a user name or password, or a token" in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://host.example:8443/scm/@team/gitops.git",
        "https://[::1]:8443/scm/@team/x",
        "git@host.example:team@x/gitops.git",
        "https://host.example/gitops?ref=main",
        "ssh://deploy@host.example:2222/acme/gitops.git",
    ],
)
def test_an_at_sign_or_a_parameter_alone_is_no_credential(tmp_path: Path, url: str) -> None:
    text = SMALL.replace("https://github.com/acme/gitops.git", f"'{url}'")
    assert loaded(tmp_path, text).repository.url == url


def test_a_flag_is_named_as_it_was_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--repo: repository\.url: "):
        loaded(tmp_path, SMALL, {}, repository__url=f"https://{SECRET}@h/x")


def test_a_flag_and_a_variable_with_credentials_are_refused_too(tmp_path: Path) -> None:
    for environ, flags in (({"SGM_REPOSITORY_URL": f"https://{SECRET}@h/x"}, {}), ({}, {"repository__url": "u"})):
        addresses = dict.fromkeys(flags, f"https://mia:{SECRET}@h/x")
        with pytest.raises(ConfigError, match="contains a user name or password") as refused:
            loaded(tmp_path, SMALL, environ, **addresses)
        assert SECRET not in str(refused.value)


@pytest.mark.parametrize("url", ["git@github.com:acme/gitops.git", "ssh://git@github.com/acme/gitops.git"])
def test_the_user_of_ssh_is_no_credential(tmp_path: Path, url: str) -> None:
    assert loaded(tmp_path, SMALL.replace("https://github.com/acme/gitops.git", url)).repository.url == url


@pytest.mark.parametrize("url", ["ftp://host/x", "host.example", "javascript:alert(1)", "https://", "https://h:99999/"])
def test_what_is_no_web_address_is_refused_where_one_is_expected(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match=r"grafana\.url: it is no"):
        loaded(tmp_path, SMALL + f"grafana: {{url: '{url}'}}\n")


@pytest.mark.parametrize("key", FILES)
@pytest.mark.parametrize("file", ["/etc/hostname", "../secret", "~/.ssh/id_rsa", "link"])
def test_a_team_file_reads_no_file_of_anybody_else(tmp_path: Path, key: str, file: str) -> None:
    folder = tmp_path / "checkout"
    folder.mkdir()
    (tmp_path / "secret").write_text(SECRET)
    (folder / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(ConfigError, match=f"{key}: a team file names only files in its own folder"):
        loaded(folder, FILES[key].replace("FILE", file))


def test_a_copied_configuration_of_an_embedded_fleet_names_the_files_of_that_fleet(tmp_path: Path) -> None:
    fleet, copy = tmp_path / "fleet", tmp_path / "copy"
    copy.mkdir()
    here = "http://127.0.0.1:1"
    text = (
        SMALL
        + f"""\
kubeconfig: {fleet}/kubeconfig
prometheus: {{token_file: {fleet}/token}}
github: {{repository: acme/gitops, api_url: '{here}', token_file: {fleet}/token}}
registry: {{url: '{here}', token_file: {fleet}/token}}
"""
    )
    assert loaded(copy, text).github.token_file == fleet / "token"
    for elsewhere in ("https://evil.example", "http://10.0.0.1"):
        with pytest.raises(ConfigError, match="a team file names only files in its own folder"):
            loaded(copy, text.replace(f"registry: {{url: '{here}'", f"registry: {{url: '{elsewhere}'"))
    with pytest.raises(ConfigError, match="a team file names only files in its own folder"):
        loaded(copy, text.replace(f"{fleet}/token", "/etc/hostname"))


@pytest.mark.parametrize("key", FILES)
def test_the_user_and_the_environment_name_any_file(tmp_path: Path, key: str) -> None:
    section, name = key.split(".")
    user = tmp_path / "xdg" / "sgm" / "config.yaml"
    user.parent.mkdir(parents=True)
    own = tmp_path / "elsewhere"
    user.write_text(f"{section}: {{{name}: {own}}}\n")
    text = FILES[key].replace("FILE", "inside")

    def named(config: object) -> object:
        return getattr(getattr(config, {"prometheus": "metrics"}.get(section, section)), name)

    assert named(loaded(tmp_path, text)) == tmp_path / "inside"
    assert named(loaded(tmp_path, text, {"XDG_CONFIG_HOME": str(tmp_path / "xdg")})) == own
    variable = f"SGM_{section}_{name}".upper()
    assert named(loaded(tmp_path, text, {variable: "/run/secrets/x"})) == Path("/run/secrets/x")


@pytest.mark.parametrize("key", ["kubeconfig", "state_directory"])
def test_a_checkout_chooses_neither_programs_to_run_nor_folders_to_write(tmp_path: Path, key: str) -> None:
    (tmp_path / "sgm.yaml").write_text(SMALL + f"{key}: here\n")
    flags = {"repository.url": str(tmp_path)}
    with pytest.raises(ConfigError, match=f"{key}: the sgm.yaml of a checkout"):
        load(None, flags=flags, environ={"HOME": str(tmp_path)})
    assert load(tmp_path / "sgm.yaml", flags=flags, environ={"HOME": str(tmp_path)})
    assert load(None, flags=flags, environ={"HOME": str(tmp_path), f"SGM_{key}".upper(): "/mine"})


def test_credentials_of_the_user_go_to_no_host_that_only_a_checkout_names(tmp_path: Path) -> None:
    registry, github = "registry: {url: https://r.example}\n", "github: {repository: a/b, api_url: https://g.example}\n"
    (tmp_path / "sgm.yaml").write_text(SMALL + registry + github)
    files = ("GITHUB_TOKEN_FILE", "PROMETHEUS_TOKEN_FILE", "REGISTRY_TOKEN_FILE")
    environ = {"HOME": str(tmp_path), **{f"SGM_{name}": "/mine" for name in files}}
    config = load(None, flags={"repository.url": str(tmp_path)}, environ=environ)
    assert (config.github.token_file, config.registry.token_file) == (None, None)
    assert config.metrics.credential_hosts == frozenset()
    user = tmp_path / ".config" / "sgm" / "config.yaml"
    user.parent.mkdir(parents=True)
    user.write_text("trusted_hosts: [g.example, r.example]\n")
    config = load(None, flags={"repository.url": str(tmp_path)}, environ=environ)
    assert (config.github.token_file, config.registry.token_file) == (Path("/mine"), Path("/mine"))


@pytest.mark.parametrize(
    ("url", "environ", "token"),
    [
        ("https://api.github.com", {"GH_TOKEN": "one", "GITHUB_TOKEN": "two"}, "one"),
        ("https://api.github.com", {"GH_ENTERPRISE_TOKEN": "three"}, ""),
        ("https://api.acme.ghe.com", {"GITHUB_TOKEN": "two"}, "two"),
        ("https://github.evil.example/api/v3", {"GH_TOKEN": "one", "GITHUB_TOKEN": "two"}, ""),
        ("https://api.github.com.evil.example", {"GH_TOKEN": "one"}, ""),
        ("https://evilghe.com", {"GH_TOKEN": "one"}, ""),
        ("https://git.acme.example/api/v3", {"GH_TOKEN": "one", "GH_HOST": "git.acme.example"}, "one"),
        ("https://git.acme.example/api/v3", {"GH_TOKEN": "one", "GH_HOST": "github.com"}, ""),
        ("https://git.acme.example/api/v3", {"GH_ENTERPRISE_TOKEN": "three", "GH_HOST": "git.acme.example"}, "three"),
        ("https://git.acme.example/api/v3", {"GH_ENTERPRISE_TOKEN": "three", "GH_HOST": "other.example"}, ""),
        (
            "https://git.acme.example/api/v3",
            {"GITHUB_TOKEN": "two", "GITHUB_API_URL": "https://git.acme.example/api/v3"},
            "two",
        ),
        ("http://127.0.0.1:8080", {"GH_TOKEN": "one"}, "one"),
    ],
)
def test_a_token_goes_to_its_own_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, environ: dict[str, str], token: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no gh program here
    config = loaded(tmp_path, SMALL + f"github: {{repository: acme/gitops, api_url: '{url}'}}\n")
    assert github_token(config, environ) == token
    assert bool(why_no_token(config, environ)) == (not token and "GH_TOKEN" in environ)


def test_a_token_is_never_sent_in_the_clear(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="http would send the token in the clear"):
        loaded(tmp_path, SMALL + "github: {api_url: 'http://git.acme.example/api/v3'}\n")


@pytest.mark.parametrize(
    ("remote", "may"),
    [
        ("https://github.com/acme/gitops.git", True),
        ("http://github.com/acme/gitops.git", False),
        ("https://evil.example/acme/gitops.git", False),
        ("https://github.com.evil.example/x", False),
        ("ssh://git@github.com/acme/gitops.git", False),
        ("http://127.0.0.1:9/acme.git", True),
        ("file:///srv/gitops.git", False),
    ],
)
def test_the_token_goes_to_the_git_remote_of_the_same_github_only(tmp_path: Path, remote: str, may: bool) -> None:
    config = loaded(tmp_path, SMALL + "github: {repository: acme/gitops}\n")
    assert may_send_to(remote, config) is may


@pytest.mark.parametrize(
    "header", ["Authorization: x", "cookie: x", "'Proxy-Authorization': x", "'a b': x", "X-A: 'ü'"]
)
def test_a_header_that_is_a_credential_or_none_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(ConfigError, match=r"prometheus\.headers: "):
        loaded(tmp_path, SMALL + f"prometheus: {{headers: {{{header}}}}}\n")
