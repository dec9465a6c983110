"""What Argo CD does on wishes and faults: refresh, terminate, prune, windows, dead clusters, ApplicationSets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from argocd_lab import AUTOMATED, SERVICE, Lab, application, files

RECORDED = json.loads((Path(__file__).parents[2] / "data/argocd/recorded-orders.json").read_text())


def lab_with_service() -> tuple[Lab, str]:
    lab = Lab()
    lab.begin()
    return lab, lab.service()


def test_a_refresh_that_was_asked_for_is_taken_off_when_done() -> None:
    lab, name = lab_with_service()
    lab.annotate(name, refresh="normal")
    lab.until(lambda: "annotations" not in lab.app(name)["metadata"], 5.0)
    assert len(lab.states[name]) == 1


def test_an_application_told_to_skip_is_left_alone() -> None:
    lab, name = lab_with_service()
    lab.annotate(name, **{"skip-reconcile": "true"})
    lab.push(**files("checkout", "v1.1.0"))
    lab.run(20.0)
    assert lab.state(name)[:2] == ["Synced", 0]


def test_git_is_polled_even_without_a_web_hook() -> None:
    lab, name = lab_with_service()
    lab.repository.commit(**files("checkout", "v1.1.0"))
    lab.run(20.0)
    assert lab.state(name)[1] == 0
    lab.until(lambda: lab.state(name)[1] == 1, 320.0)


def test_what_git_gives_up_is_pruned_and_said_so() -> None:
    lab, name = lab_with_service()
    lab.push(checkout__extra=SERVICE.format(name="extra"))
    lab.until(lambda: lab.cluster.get("Service", "app-checkout", "extra") is not None)
    lab.run(5.0)
    lab.push(checkout__extra=None)
    lab.until(lambda: lab.cluster.get("Service", "app-checkout", "extra") is None)
    lab.until(lambda: lab.state(name)[0] == "Synced")
    assert [one["name"] for one in lab.app(name)["status"]["resources"]] == ["checkout", "checkout"]


def test_without_prune_what_git_gave_up_stays_out_of_sync() -> None:
    lab = Lab()
    lab.begin()
    name = lab.service(automated={"selfHeal": True}, syncOptions=AUTOMATED["syncOptions"])
    lab.push(checkout__extra=SERVICE.format(name="extra"))
    lab.until(lambda: lab.cluster.get("Service", "app-checkout", "extra") is not None)
    lab.run(5.0)
    lab.push(checkout__extra=None)
    lab.until(lambda: lab.state(name)[0] == "OutOfSync")
    lab.run(10.0)
    assert lab.cluster.get("Service", "app-checkout", "extra") is not None
    (extra,) = [one for one in lab.app(name)["status"]["resources"] if one["name"] == "extra"]
    assert extra["requiresPruning"] is True


def test_a_field_git_gives_up_is_removed_from_the_live_object() -> None:
    lab, name = lab_with_service()
    text = files("checkout", "v1.0.0")["checkout__rollout"]
    lab.push(checkout__rollout=text.replace("  replicas: 4\n", "  replicas: 4\n  revisionHistoryLimit: 3\n"))
    lab.until(lambda: live_spec(lab).get("revisionHistoryLimit") == 3)
    lab.run(5.0)
    lab.push(checkout__rollout=text)
    lab.until(lambda: "revisionHistoryLimit" not in live_spec(lab))
    lab.until(lambda: lab.state(name)[0] == "Synced")
    assert live_spec(lab)["replicas"] == 4


def live_spec(lab: Lab) -> dict[str, Any]:
    live = lab.cluster.get("Rollout", "app-checkout", "checkout")
    assert live is not None
    found: dict[str, Any] = live["spec"]
    return found


def test_a_failing_sync_that_is_terminated_ends_as_failed() -> None:
    lab, name = lab_with_service()
    lab.push(checkout__bad=files("Bad_Name", "v1")["Bad_Name__service"])
    lab.until(lambda: lab.state(name)[5] == 1)
    app = lab.app(name)
    state = {**app["status"]["operationState"], "phase": "Terminating"}
    lab.hub.write("Application", {**app, "status": {**app["status"], "operationState": state}})
    lab.until(lambda: lab.state(name)[3] == "Failed", 10.0)
    assert "operation" not in lab.app(name)
    assert lab.app(name)["status"]["operationState"]["message"] == "Operation terminated"


def test_a_sync_that_failed_for_good_is_not_tried_again_and_says_why() -> None:
    lab = Lab()
    lab.begin()
    name = lab.service(**AUTOMATED, retry={"limit": 1})
    lab.push(checkout__bad=files("Bad_Name", "v1")["Bad_Name__service"])
    lab.until(lambda: lab.state(name)[3] == "Failed", 60.0)
    assert lab.app(name)["status"]["operationState"]["message"].endswith("(retried 1 times).")
    lab.annotate(name, refresh="normal")
    lab.until(lambda: lab.state(name)[6] == ["SyncError"], 10.0)
    lab.run(30.0)
    assert lab.state(name)[3] == "Failed"


def test_a_manual_sync_without_create_namespace_fails_where_there_is_none() -> None:
    lab = Lab()
    lab.begin()
    lab.deploy(**files("hand", "v1.0.0", "[]"))
    lab.hub.create("Application", application("hand-made", "prod-eu1", "hand", "hand"))
    lab.until(lambda: lab.state("hand-made")[0] == "OutOfSync")
    lab.operate("hand-made")
    lab.until(lambda: lab.state("hand-made")[3] == "Failed")
    assert 'namespaces "app-hand" not found' in lab.app("hand-made")["status"]["operationState"]["message"]


def test_who_keeps_drifting_is_healed_later_and_later() -> None:
    lab, name = lab_with_service()
    healed: list[float] = []
    for count in (7, 8, 9):
        start = lab.clock.now
        lab.patch_live(replicas=count)
        lab.until(lambda: live_spec(lab)["replicas"] == 4)
        healed.append(lab.clock.now - start)
        lab.until(lambda: lab.state(name)[:3] == ["Synced", 0, "Healthy"])
    assert healed[0] < 2.0
    assert healed[2] > healed[0] + 1.0


def test_of_a_dead_cluster_the_hub_keeps_its_word() -> None:
    lab, name = lab_with_service()
    lab.target.reachable = False
    lab.annotate(name, refresh="hard")
    lab.run(50.0)
    assert lab.state(name)[:3] == ["Synced", 0, "Healthy"]
    lab.push(**files("checkout", "v1.1.0"))
    lab.run(30.0)
    assert lab.state(name)[:4] == ["OutOfSync", 1, "Healthy", "Running"]
    lab.target.reachable = True
    lab.until(lambda: lab.state(name)[:2] == ["Synced", 1], 20.0)


def application_set(label: str) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "app-service", "namespace": "argocd"},
        "spec": {
            "goTemplate": True,
            "goTemplateOptions": ["missingkey=error"],
            "generators": [
                {
                    "matrix": {
                        "generators": [
                            {"clusters": {"selector": {"matchLabels": {"stage": "prod"}}}},
                            {"git": {"directories": [{"path": "*"}]}},
                        ]
                    }
                }
            ],
            "template": {
                "metadata": {"name": "{{.name}}-{{.path.basename}}", "labels": {"x": label}},
                "spec": {
                    "project": "acme",
                    "destination": {"name": "{{.name}}", "namespace": "app-{{.path.basename}}"},
                    "source": {
                        "repoURL": "https://git.example/gitops.git",
                        "path": "{{.path.path}}",
                        "targetRevision": "main",
                    },
                    "syncPolicy": AUTOMATED,
                },
            },
        },
    }


def test_services_come_and_go_with_their_folders() -> None:
    lab = Lab()
    lab.begin()
    lab.hub.create("ApplicationSet", application_set("{{.path.basename}}"))
    lab.deploy(**files("cart", "v1.0.0"))
    lab.until(lambda: lab.state("prod-eu1-cart")[:3] == ["Synced", 0, "Healthy"])
    app = lab.app("prod-eu1-cart")
    assert app["metadata"]["labels"] == {"x": "cart"}
    assert app["metadata"]["ownerReferences"][0]["name"] == "app-service"
    lab.run(15.0)
    (listed,) = the_set(lab)["status"]["resources"]
    assert (listed["name"], listed["status"], listed["health"]) == ("prod-eu1-cart", "Synced", {"status": "Healthy"})
    lab.push(cart__service=None, cart__rollout=None)
    lab.until(lambda: lab.state("prod-eu1-cart") == ["DELETED"])
    assert lab.cluster.list("Rollout") == []


def the_set(lab: Lab) -> dict[str, Any]:
    found = lab.hub.get("ApplicationSet", "argocd", "app-service")
    assert found is not None
    return found


def test_a_template_error_is_told_as_recorded_and_leaves_the_applications() -> None:
    lab = Lab()
    lab.begin()
    lab.deploy(**files("cart", "v1.0.0"))
    lab.hub.create("ApplicationSet", application_set("x"))
    lab.until(lambda: lab.state("prod-eu1-cart")[0] == "Synced")
    told: list[Any] = []

    def note() -> None:
        state = [[one[key] for key in ("type", "status", "reason", "message")] for one in conditions(lab)]
        if not told or told[-1] != state:
            told.append(state)

    note()
    for label in ("{{.nope.x}}", "x"):
        lab.hub.write("ApplicationSet", {**the_set(lab), "spec": application_set(label)["spec"]})
        lab.run(2.0)
        note()
    assert told == RECORDED["applicationset-error"]["app-service"]
    assert lab.state("prod-eu1-cart")[0] == "Synced"


def conditions(lab: Lab) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = the_set(lab)["status"]["conditions"]
    return found


def test_peoples_edits_of_a_generated_application_are_undone() -> None:
    lab = Lab()
    lab.begin()
    lab.deploy(**files("cart", "v1.0.0"))
    lab.hub.create("ApplicationSet", application_set("x"))
    lab.until(lambda: lab.state("prod-eu1-cart")[0] == "Synced")
    app = lab.app("prod-eu1-cart")
    spec = {**app["spec"], "syncPolicy": {"automated": {"enabled": False}}}
    lab.hub.write("Application", {**app, "spec": spec})
    lab.run(5.0)
    assert lab.app("prod-eu1-cart")["spec"]["syncPolicy"] == AUTOMATED


def test_a_generated_application_that_somebody_deletes_is_made_anew() -> None:
    lab = Lab()
    lab.begin()
    lab.deploy(**files("cart", "v1.0.0"))
    lab.hub.create("ApplicationSet", application_set("x"))
    lab.until(lambda: lab.state("prod-eu1-cart")[0] == "Synced")
    before = lab.app("prod-eu1-cart")["metadata"]["uid"]
    lab.hub.delete("Application", "argocd", "prod-eu1-cart")
    lab.until(lambda: lab.state("prod-eu1-cart") == ["DELETED"])
    lab.until(lambda: lab.state("prod-eu1-cart")[:1] == ["Synced"])
    assert lab.app("prod-eu1-cart")["metadata"]["uid"] != before


def test_an_application_without_the_necessary_fields_is_refused_and_hurts_nobody() -> None:
    lab, name = lab_with_service()
    for number, spec in enumerate(({}, {"project": "acme"}, {"destination": {"name": "prod-eu1"}, "project": "acme"})):
        metadata = {"name": f"odd-{number}", "namespace": "argocd"}
        lab.hub.create("Application", {"metadata": metadata, "spec": spec})
    lab.run(3.0)
    assert {lab.state(f"odd-{number}")[0] for number in range(3)} == {"Unknown"}
    lab.push(**files("checkout", "v1.1.0"))
    lab.until(lambda: lab.state(name)[:2] == ["Synced", 1])
