"""Image references and versions: taken apart in one place, compared by one rule, sorted as people count."""

from __future__ import annotations

import builders
import pytest

from sgm_tui.fleet.images import ImageReference, parse_image
from sgm_tui.fleet.model import Version
from sgm_tui.fleet.versions import compare, is_older, is_same_image, newest_first
from sgm_tui.operations.available_versions import _image_of

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "reference", "version"),
    [
        ("cart", ImageReference("cart"), "latest"),
        ("cart:v1", ImageReference("cart", "v1"), "v1"),
        ("localhost:5000/acme/cart", ImageReference("localhost:5000/acme/cart"), "latest"),
        ("localhost:5000/acme/cart:v1", ImageReference("localhost:5000/acme/cart", "v1"), "v1"),
        (f"[::1]:5000/cart:v1@{DIGEST}", ImageReference("[::1]:5000/cart", "v1", DIGEST), f"v1@{DIGEST}"),
        (f"localhost:5000/cart@{DIGEST}", ImageReference("localhost:5000/cart", "", DIGEST), DIGEST),
    ],
)
def test_an_image_is_its_name_with_the_port_its_tag_and_its_digest(
    image: str, reference: ImageReference, version: str
) -> None:
    assert (parse_image(image), parse_image(image).version) == (reference, version)


@pytest.mark.parametrize(
    ("version", "image"),
    [
        ("v2", "localhost:5000/cart:v2"),
        (DIGEST, f"localhost:5000/cart@{DIGEST}"),
        (f"v2@{DIGEST}", f"localhost:5000/cart:v2@{DIGEST}"),
    ],
)
def test_another_version_of_an_image_keeps_its_name(version: str, image: str) -> None:
    assert parse_image("localhost:5000/cart:v1").with_version(version) == image
    assert parse_image(f"localhost:5000/cart@{DIGEST}").with_version(version) == image


@pytest.mark.parametrize(
    ("version", "other", "same"),
    [
        ("v1", f"v1@{DIGEST}", True),
        (DIGEST, f"v1@{DIGEST}", True),
        (f"v1@{DIGEST}", f"v2@{DIGEST}", True),
        ("v2", f"v1@{DIGEST}", False),
        ("v1", DIGEST, False),
        (f"v1@{DIGEST}", "v1@sha256:" + "b" * 64, False),
    ],
)
def test_one_image_is_the_same_pinned_or_not(version: str, other: str, same: bool) -> None:
    assert is_same_image(version, other) is same
    assert is_same_image(other, version) is same


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("dev-9", "dev-12"),
        ("build.99", "build.100"),
        ("main-20240101-9", "main-20240101-10"),
        ("v1.0.0-dev-9", "v1.0.0-dev-12"),
        ("v1.0.0-rc9", "v1.0.0-rc10"),
        ("1.2.3.9", "1.2.3.10"),
        ("v1.9.0", f"v1.10.0@{DIGEST}"),
    ],
)
def test_numbers_inside_a_version_count_as_numbers(older: str, newer: str) -> None:
    assert is_older(older, newer)
    assert not is_older(newer, older)
    assert newest_first([Version(older), Version(newer)]) == (newer, older)


@pytest.mark.parametrize(
    ("version", "other"),
    [
        ("dev-9", "main-12"),
        ("dev-9", "v1.0.0"),
        ("main", "main"),
        ("1234567", "7654321"),
        ("3f2a1c9", "4f2a1c9"),
        ("main-3f2a1c9-1", "main-3f2a1c9-2"),
        (DIGEST, DIGEST),
        ("a²", "a³"),
    ],
)
def test_what_has_no_order_is_older_than_nothing(version: str, other: str) -> None:
    assert compare(version, other) is None
    assert not is_older(version, other)


@pytest.mark.parametrize(
    "image",
    ["localhost:5000/a/cart", "localhost:5000/a/cart:v1", f"localhost:5000/a/cart:v1@{DIGEST}"],
)
def test_the_tags_to_choose_from_are_asked_for_by_the_images_whole_name(image: str) -> None:
    where = builders.key("cart", "prod-eu1")
    running = builders.rollout(where, "v1", replica_sets=(builders.replica_set(where, "v1", 41, images=(image,)),))
    snapshot = builders.snapshot([builders.cell("cart", "prod-eu1", "v1", rollout=running)])
    assert _image_of(snapshot, where.service) == "localhost:5000/a/cart"


def test_numbered_tags_of_a_registry_stand_together_and_the_rest_as_it_came() -> None:
    came = [Version(one) for one in ("dev-12", "main", "v1.0.0", "dev-9", "v2.0.0", "dev-100")]
    assert newest_first(came) == ("v2.0.0", "v1.0.0", "dev-100", "dev-12", "dev-9", "main")
