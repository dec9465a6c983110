"""Selectors mean what kubectl's users mean by them."""

from __future__ import annotations

import pytest

from sgm_tui.sandbox.kubernetes.selectors import label_tests, selection
from sgm_tui.sandbox.kubernetes.status import ApiError

OBJECTS = {
    "cart": {"app": "cart", "tier": "web"},
    "pay": {"app": "pay"},
    "bare": {},
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "cart pay bare"),
        ("app=cart", "cart"),
        ("app==cart", "cart"),
        ("app!=cart", "pay bare"),
        ("app", "cart pay"),
        ("!app", "bare"),
        ("! tier", "pay bare"),
        ("app in (cart, pay)", "cart pay"),
        ("app notin (cart)", "pay bare"),
        ("app in (cart,pay),tier=web", "cart"),
        ("app,!tier", "pay"),
        ("tier=", ""),
        ("rollouts-pod-template-hash in (a.b_c-1)", ""),
        ("example.com/app=x", ""),
    ],
)
def test_a_label_selector_finds(text: str, found: str) -> None:
    tests = label_tests(text)
    assert [name for name, labels in OBJECTS.items() if all(test(labels) for test in tests)] == found.split()


@pytest.mark.parametrize("text", ["==", "a in", "a in (b", "a,", ",a", "a=b c", "a=b=c", "a in b", "(", "a>1", "%"])
def test_an_unreadable_label_selector_is_a_bad_request(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        label_tests(text)
    assert refused.value.code == 400


def test_events_are_found_by_the_object_they_are_about() -> None:
    event = {"metadata": {"name": "e", "namespace": "n"}, "involvedObject": {"kind": "Rollout", "name": "a"}}
    asked = "involvedObject.name=a,involvedObject.kind=Rollout,metadata.namespace!=m"
    assert selection("Event", "n", {"fieldSelector": asked}).matches(event)
    assert not selection("Event", "n", {"fieldSelector": "involvedObject.kind=Pod"}).matches(event)
    assert not selection("Event", "other", {}).matches(event)


@pytest.mark.parametrize(("kind", "text"), [("Rollout", "spec.replicas=2"), ("Rollout", "x"), ("Event", "message=x")])
def test_a_field_that_cannot_be_selected_by_is_a_bad_request(kind: str, text: str) -> None:
    with pytest.raises(ApiError) as refused:
        selection(kind, None, {"fieldSelector": text})
    assert refused.value.code == 400
