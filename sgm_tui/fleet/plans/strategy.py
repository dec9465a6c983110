"""Rollout strategies by name: the keys they set in the values of the chart (platform design §3.2).

`canary10-30-60` is a canary whose weights are those numbers, each followed by a pause and the chart's analysis;
`bluegreen` is blue-green; `[…]` are the steps themselves, as Argo Rollouts writes them. A team names further
strategies in `policy.strategies`.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping

from sgm_tui.durations import DurationError, pause_seconds
from sgm_tui.fleet.plans.plan import Change, Extra, Refusal
from sgm_tui.json_reader import read_json

_CANARY = re.compile(r"canary(\d{1,3}(?:-\d{1,3})*)")
_STEPS = frozenset({"setWeight", "pause", "analysis", "setCanaryScale", "setHeaderRoute", "setMirrorRoute"})
_PAUSE = {"duration": "1m"}


def steps_key(image_key: str) -> str:
    """Return the key of the canary steps, below the same prefix as the key of the version."""
    return f"{_prefix(image_key)}rollout.steps"


def steps_of(change: Change) -> list[dict[str, object]] | None:
    """Return the steps that a change writes; None where it does not change them."""
    written = next((one.value for one in change.extras if one.key.endswith("rollout.steps")), "")
    return list(read_json(written)) if written else None


def extras_of(
    name: str, image_key: str = "image.tag", named: Mapping[str, Mapping[str, str]] | None = None
) -> tuple[Extra, ...] | Refusal:
    """Return the keys that a strategy sets, or why it is refused.

    Args:
        name: the requested strategy.
        image_key: the key of the version; `spec.values.image.tag` moves every other key below `spec.values` too.
        named: the team's own strategies: name → dotted key → value as JSON text.
    """
    strategies = named or {}
    if name in strategies:
        values = dict(strategies[name])
    elif name in {"bluegreen", "blueGreen"}:
        values = {"rollout.strategy": json.dumps("blueGreen")}
    else:
        steps = _steps(name, tuple(strategies))
        if isinstance(steps, Refusal):
            return steps
        values = {"rollout.strategy": json.dumps("canary"), "rollout.steps": json.dumps(steps)}
    prefix = _prefix(image_key)
    return tuple(Extra(prefix + key, value, f"strategy {name}") for key, value in values.items())


def _prefix(image_key: str) -> str:
    return image_key.removesuffix("image.tag") if image_key.endswith(".image.tag") else ""


def _steps(name: str, own: tuple[str, ...]) -> list[dict[str, object]] | Refusal:
    if name.lstrip().startswith("["):
        return _written_steps(name)
    match = _CANARY.fullmatch(name)
    if match is None:
        return Refusal("", f"there is no strategy {name}: {_choice(name, own)}")
    weights = [int(one) for one in match[1].split("-")]
    if any(not 0 < one <= 100 for one in weights) or weights != sorted(set(weights)):
        return Refusal("", f"{name}: weights have to grow from 1 to 100")
    steps: list[dict[str, object]] = []
    for weight in weights:
        steps += [{"setWeight": weight}, {"pause": dict(_PAUSE)}, {"analysis": {}}]
    return steps


def _choice(name: str, own: tuple[str, ...]) -> str:
    """List the strategies to choose from, the nearest name first, the team's own by name."""
    matches = difflib.get_close_matches(name, ("canary10-30-60", "bluegreen", *own), n=1)
    near = f"did you mean {matches[0]}? " if matches else ""
    team = f"{', '.join(own)} (policy.strategies), " if own else ""
    return f"{near}use {team}canary10-30-60, bluegreen, or the steps as a JSON list"


def _written_steps(text: str) -> list[dict[str, object]] | Refusal:
    try:
        steps = read_json(text)
    except ValueError as error:
        return Refusal("", f"the steps are not valid JSON: {error}")
    wrong = next((why for why in map(_step_error, steps) if why), "")
    return Refusal("", wrong) if wrong else list(steps)


def _step_error(step: object) -> str:
    """Return why Argo Rollouts would refuse a step; "" when it would not."""
    if not isinstance(step, dict) or len(step) != 1 or next(iter(step)) not in _STEPS:
        return f"{json.dumps(step)} is not a step: use one of {', '.join(sorted(_STEPS))}"
    weight = step.get("setWeight", 0)
    if isinstance(weight, bool) or not isinstance(weight, int) or not 0 <= weight <= 100:
        return f"setWeight {json.dumps(weight)} is not from 0 to 100"
    pause = step.get("pause", {})
    if not isinstance(pause, dict) or pause.keys() - {"duration"}:
        return f"pause {json.dumps(pause)} has keys other than duration"
    length = pause.get("duration", 0)
    if isinstance(length, bool) or not isinstance(length, int | str):
        return f"a pause of {json.dumps(length)} is not a duration: write it like 30, 30s, 5m or 1h30m"
    try:
        pause_seconds(str(length))
    except DurationError as error:
        return f"pause: {error}"
    return ""
