"""The picture of the dashboard, as `sgm status -o svg` prints it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import builders
import pytest

from sgm_tui.errors import SgmError
from sgm_tui.ui.app import SgmApp
from sgm_tui.ui.picture import holding, svg
from sgm_tui.ui.static_session import StaticSession


async def test_the_picture_is_svg_with_the_fleet_in_it() -> None:
    picture = await svg(builders.release())
    assert ET.fromstring(picture).tag.endswith("svg")
    assert "checkout" in picture
    assert "abort" in picture
    assert picture == await svg(builders.release())


async def test_a_theme_that_does_not_exist_is_an_error_that_names_those_that_do() -> None:
    with pytest.raises(SgmError, match="no theme neon") as failure:
        SgmApp(StaticSession(builders.calm()), theme="neon")
    assert "colour-blind" in failure.value.hint


async def test_a_picture_holds_a_large_fleet_whole() -> None:
    shown = builders.big()
    picture = await svg(shown, holding(shown), "light")
    assert "service-099" in picture
    assert "prod-r19" in picture
    assert holding(builders.calm()) == (132, 36)
