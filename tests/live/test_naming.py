"""Which cell a name, a label or a namespace means, whatever the templates."""

from __future__ import annotations

import pytest

from sgm_tui.config.schema import ArgoConfig, ClusterConfig, Config, RepositoryConfig, RolloutConfig, StageConfig
from sgm_tui.fleet.model import CellKey, ClusterName, ServiceName, StageName
from sgm_tui.live.naming import Naming


def naming(application: str = "{cluster}-{service}", **rollouts: str) -> Naming:
    clusters = (
        ClusterConfig("prod", "prod", "eu1"),
        ClusterConfig("prod-eu1", "prod", "eu1", server="https://prod-eu1:6443"),
    )
    return Naming(
        Config(
            RepositoryConfig("https://github.com/acme/gitops.git"),
            (StageConfig("prod", clusters),),
            argocd=ArgoConfig(application=application),
            rollouts=RolloutConfig(**rollouts),
        )
    )


def cell(key: CellKey | None) -> str | None:
    return None if key is None else f"{key.service}@{key.cluster}"


@pytest.mark.parametrize(
    ("template", "name", "expected"),
    [
        ("{cluster}-{service}", "prod-eu1-checkout", "checkout@prod-eu1"),
        ("{cluster}-{service}", "prod-checkout-api", "checkout-api@prod"),
        ("{cluster}-{service}", "staging-checkout", None),
        ("{service}.{cluster}", "checkout.prod-eu1", "checkout@prod-eu1"),
        ("{service}.{cluster}", "checkoutxprod-eu1", None),
        ("app-{cluster}-{service}-x", "app-prod-eu1-a-b-x", "a-b@prod-eu1"),
    ],
)
def test_an_applications_name_tells_its_cell(template: str, name: str, expected: str | None) -> None:
    assert cell(naming(template).of_application(name)) == expected


@pytest.mark.parametrize(
    ("template", "name", "expected"),
    [
        ("{cluster}-{service}", "prod-eu1-cart", True),
        ("{cluster}-{service}", "prod-cart", False),
        ("{cluster}-{service}", "prod-eu1-cart-db", False),
        ("{service}", "cart", True),
        ("{service}", "a-database", False),
    ],
)
def test_a_name_alone_says_whose_it_is(template: str, name: str, expected: bool) -> None:
    key = CellKey(ServiceName("cart"), StageName("prod"), ClusterName("prod-eu1"))
    assert naming(template).is_called_after(name, key) is expected


def test_labels_and_destination_outrank_the_name() -> None:
    names = naming()
    assert cell(names.of_application("x", service="cart", destination="prod-eu1")) == "cart@prod-eu1"
    assert cell(names.of_application("x", service="cart", destination="https://prod-eu1:6443")) == "cart@prod-eu1"
    assert names.of_application("x", service="cart", destination="elsewhere") is None


@pytest.mark.parametrize("destination", ["in-cluster", "https://kubernetes.default.svc"])
def test_what_a_hub_calls_itself_is_the_cluster_with_its_context(destination: str) -> None:
    clusters = tuple(ClusterConfig(name, "prod", context=f"ctx-{name}") for name in ("prod-eu1", "prod-us1"))
    names = Naming(
        Config(
            RepositoryConfig("https://github.com/acme/gitops.git"),
            (StageConfig("prod", clusters),),
            argocd=ArgoConfig(application="{service}"),
        )
    )
    for cluster in ("prod-eu1", "prod-us1"):
        key = names.of_application("cart", destination=destination, namespace="app-cart", hub=f"ctx-{cluster}")
        assert cell(key) == f"cart@{cluster}"
    assert names.of_application("cart", destination=destination, hub="hub") is None


def test_a_slash_at_the_end_of_a_server_is_no_other_server() -> None:
    assert cell(naming().of_application("x", service="cart", destination="https://prod-eu1:6443/")) == "cart@prod-eu1"


def test_an_application_that_deploys_into_no_services_namespace_is_no_service() -> None:
    names = naming()
    assert names.of_application("prod-eu1-monitoring", namespace="monitoring") is None
    assert cell(names.of_application("prod-eu1-cart", namespace="app-cart")) == "cart@prod-eu1"


def test_a_rollout_belongs_to_the_application_that_tracks_it_else_to_its_namespace() -> None:
    names = naming()
    assert cell(names.of_rollout("prod-eu1", "anywhere", "any", "prod-eu1-cart")) == "cart@prod-eu1"
    assert cell(names.of_rollout("prod-eu1", "app-cart", "cart")) == "cart@prod-eu1"
    assert cell(names.of_rollout("prod-eu1", "app-cart", "cart", "argocd_platform")) == "cart@prod-eu1"
    assert names.of_rollout("prod-eu1", "app-cart", "cart-worker") is None


def test_a_rollout_of_the_same_name_in_another_namespace_is_somebody_elses() -> None:
    assert naming().of_rollout("prod-eu1", "sandbox-of-joe", "cart") is None
    assert naming(name="app").of_rollout("prod-eu1", "s-deadline", "app") is None
    everything_in_one = naming(namespace="shop", name="svc-{service}")
    assert cell(everything_in_one.of_rollout("prod-eu1", "shop", "svc-cart")) == "cart@prod-eu1"
    assert everything_in_one.of_rollout("prod-eu1", "shop-of-joe", "svc-cart") is None


def test_a_namespace_tells_its_service() -> None:
    assert cell(naming().of_namespace("prod-eu1", "app-cart")) == "cart@prod-eu1"
    assert naming().of_namespace("prod-eu1", "app-") is None
    assert naming().of_namespace("prod-eu1", "kube-system") is None


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("https://github.com/acme/gitops.git", True),
        ("https://token@github.com/Acme/gitops/", True),
        ("git@github.com:acme/gitops.git", True),
        ("ssh://git@github.com/acme/gitops", True),
        ("https://github.com/acme/charts.git", False),
        ("ghcr.io/acme/charts", False),
    ],
)
def test_a_source_is_the_gitops_repository_by_whatever_way_it_is_reached(url: str, ours: bool) -> None:
    assert naming().is_repository(url) is ours
