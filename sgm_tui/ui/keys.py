"""Every key, declared once: the footer, the help, the palette and the keymap are all made from these.

The identifiers are what the user's `keymap` names. A key that would do nothing is not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from textual.binding import ActiveBinding, Binding, BindingType

_MOVE = Binding.Group("move", compact=True)

_ACTING: list[BindingType] = [
    Binding(
        "g",
        "rollout('promote')",
        "resume",
        id="pass-gate",
        show=False,
        tooltip="Resume a paused rollout (argo: promote)",
    ),
    Binding("a", "rollout('abort')", "abort", id="abort", show=False, tooltip="Abort a rollout in progress"),
]

MATRIX: list[BindingType] = [
    Binding("up,k", "move(-1, 0)", "up", id="up", show=False, group=_MOVE, tooltip="Move to the row above"),
    Binding("down,j", "move(1, 0)", "down", id="down", show=False, group=_MOVE, tooltip="Move to the row below"),
    Binding(
        "left,h", "move(0, -1)", "left", id="left", show=False, group=_MOVE, tooltip="Move to the previous cluster"
    ),
    Binding("right,l", "move(0, 1)", "right", id="right", show=False, group=_MOVE, tooltip="Move to the next cluster"),
    Binding("pageup", "page(-1)", "page up", id="page-up", show=False, tooltip="Page up"),
    Binding("pagedown", "page(1)", "page down", id="page-down", show=False, tooltip="Page down"),
    Binding("home", "edge(-1)", "first row", id="first-row", show=False, tooltip="Move to the first row"),
    Binding("end", "edge(1)", "last row", id="last-row", show=False, tooltip="Move to the last row"),
    *(
        Binding(
            str(number),
            f"stage({number})",
            f"stage {number}",
            id=f"stage-{number}",
            show=False,
            tooltip=f"Jump to stage {number}",
        )
        for number in range(1, 10)
    ),
    Binding("enter", "open", "open", id="open", tooltip="Open the details of this cell"),
    Binding("space", "mark", "mark", id="mark", show=False, tooltip="Mark this cell or folded stage for p and v"),
    Binding("p", "promote", "promote", id="promote", tooltip="Stage the previous stage's version for this cell"),
    Binding(
        "P",
        "promote_row",
        "promote row",
        id="promote-row",
        show=False,
        tooltip="Stage this service's promotion in every stage",
    ),
    Binding(
        "A",
        "promote_stage",
        "promote stage",
        id="promote-stage",
        show=False,
        tooltip="Stage every version this stage is missing",
    ),
    Binding(
        "L",
        "promote_location",
        "promote location",
        id="promote-location",
        show=False,
        tooltip="Stage this service in this stage and location",
    ),
    Binding("v", "revert", "revert", id="revert", tooltip="Revert to a known-good version"),
    Binding("y", "why", "why", id="why", tooltip="Show the gates of the next version"),
    *_ACTING,
    Binding("u", "undo", "undo", id="undo", show=False, tooltip="Undo the last step of the plan"),
    Binding("c", "plan", "plan", id="plan", tooltip="Review the plan: diff, gates, open PRs"),
    Binding("o", "pulls", "PRs", id="pulls", tooltip="Show open and recently merged pull requests"),
    Binding("slash", "filter", "filter", id="filter", show=False, key_display="/", tooltip="Filter rows by words"),
    Binding("f", "attention", "attention", id="attention", tooltip="Toggle the attention view"),
    Binding("w", "worst", "worst first", id="worst", show=False, tooltip="Toggle worst-first sorting"),
    Binding("z", "fold", "fold", id="fold", show=False, tooltip="Toggle folding of the stage under the cursor"),
    Binding("i", "details", "details", id="details", show=False, tooltip="Toggle the detail pane"),
    Binding("r", "refresh", "refresh", id="refresh", show=False, tooltip="Refresh every source now"),
    Binding("escape", "back", "back", id="back", show=False, tooltip="Clear marks, filter, attention view"),
]

EVERYWHERE: list[BindingType] = [
    Binding("question_mark", "help", "help", id="help", key_display="?", tooltip="Show every key and symbol"),
    Binding(
        "ctrl+p,colon",
        "command_palette",
        "palette",
        id="palette",
        show=False,
        tooltip="Find a command by name",
    ),
    Binding("q", "leave", "quit", id="quit", tooltip="Quit (plan is saved)"),
    Binding("ctrl+t", "change_theme", "theme", id="theme", show=False, tooltip="Switch theme (this session)"),
    Binding("ctrl+s", "save_picture", "picture", id="picture", show=False, tooltip="Save this screen as an SVG file"),
    Binding(
        "ctrl+q",
        "leave_from_anywhere",
        "quit",
        id="quit-anywhere",
        show=False,
        priority=True,
        tooltip="Quit from any screen",
    ),
    Binding(
        "ctrl+z",
        "suspend_process",
        "suspend",
        id="suspend",
        show=False,
        priority=True,
        tooltip="Suspend sgm (fg resumes it)",
    ),
    Binding(
        "ctrl+c",
        "interrupt",
        "interrupt",
        id="interrupt",
        show=False,
        priority=True,
        system=True,
        tooltip="Copy the selection, else quit (exit 130)",
    ),
]

MOUSE: tuple[tuple[str, str], ...] = (
    ("click", "Select a cell, or run a key of the footer"),
    ("twice", "Open the cell"),
    ("on a stage", "Fold or unfold the stage"),
    ("wheel", "Scroll"),
)
"""What the mouse does, for the help."""

_MOVING = ("move(", "page(", "edge(", "stage(", "choose(", "scroll(")
SELDOM = frozenset({"promote-row", "promote-stage", "promote-location", "theme", "picture", "suspend", "quit-anywhere"})
"""Keys that come last where a footer has room to spare."""
KEPT = frozenset({"help", "leave", "back"})
"""The actions whose keys are in every footer, however narrow: how to learn more, and the way out."""


def only_moves(binding: Binding) -> bool:
    """Whether it only moves: such keys are in the help, and never take room in a footer."""
    return binding.action.startswith(_MOVING)


def in_order(active: Iterable[ActiveBinding]) -> list[ActiveBinding]:
    """Ours among the active keys: those of the screen, then those of every screen, each as declared."""
    everywhere = [one.id for one in EVERYWHERE if isinstance(one, Binding)]
    described = [one for one in active if one.binding.id and one.binding.tooltip]
    return sorted(
        described, key=lambda one: everywhere.index(one.binding.id) + 1 if one.binding.id in everywhere else 0
    )


_ALWAYS = frozenset({"interrupt", "suspend"})


def always(keymap: Mapping[str, str]) -> frozenset[str]:
    """The keys, as this keymap has them, that work even where no screen can be read."""
    chosen = (one for one in EVERYWHERE if isinstance(one, Binding) and one.id in _ALWAYS)
    return frozenset(key.strip() for one in chosen for key in keymap.get(one.id or "", one.key).split(","))


CELL: list[BindingType] = [
    Binding("escape,q", "back", "back", id="page-back", tooltip="Return to the matrix"),
    Binding("down,j", "scroll(1)", "down", id="page-down-line", show=False, tooltip="Scroll down"),
    Binding("up,k", "scroll(-1)", "up", id="page-up-line", show=False, tooltip="Scroll up"),
    *_ACTING,
]

PLAN: list[BindingType] = [
    Binding("escape,q", "back", "back", id="plan-back", tooltip="Return to the matrix (plan is saved)"),
    Binding(
        "enter",
        "confirm",
        "open PRs",
        id="plan-confirm",
        priority=True,
        tooltip="Open the pull requests, after confirming",
    ),
    Binding("down,j", "choose(1)", "next", id="plan-next", show=False, tooltip="Select the next change"),
    Binding("up,k", "choose(-1)", "previous", id="plan-previous", show=False, tooltip="Select the previous change"),
    Binding(
        "pagedown,space", "scroll(1)", "diff down", id="plan-scroll-down", show=False, tooltip="Scroll the diff down"
    ),
    Binding("pageup", "scroll(-1)", "diff up", id="plan-scroll-up", show=False, tooltip="Scroll the diff up"),
    Binding("d,delete", "drop", "drop", id="plan-drop", tooltip="Remove the selected change from the plan"),
    Binding("u", "undo", "undo", id="plan-undo", tooltip="Undo the last step of the plan"),
    Binding("e", "edit_version", "version", id="plan-version", tooltip="Edit the version of the selected change"),
    Binding("s", "edit_strategy", "strategy", id="plan-strategy", tooltip="Edit the strategy of the selected change"),
    Binding(
        "w", "say_why", "reason", id="plan-reason", show=False, tooltip="Edit the reason (commit and pull request)"
    ),
    Binding("o", "override", "override", id="plan-override", tooltip="Override blocking gates"),
    Binding(
        "S",
        "supersede",
        "supersede",
        id="plan-supersede",
        tooltip="Toggle superseding sgm's own pull requests",
    ),
    Binding(
        "D",
        "direct",
        "push",
        id="plan-direct",
        tooltip="Toggle direct push (policy.direct)",
    ),
    Binding("U", "unfinished", "unfinished", id="plan-unfinished", show=False, tooltip="Show unfinished writes"),
    Binding("W", "waves", "waves", id="plan-waves", show=False, tooltip="Show promotions queued in waves"),
    Binding("r", "preview", "again", id="plan-refresh", show=False, tooltip="Fetch and compare again"),
]

UNFINISHED: list[BindingType] = [
    Binding("escape,q", "back", "back", id="unfinished-back", tooltip="Return to the plan"),
    Binding(
        "enter",
        "advised",
        "do it",
        id="unfinished-do",
        priority=True,
        tooltip="Run the advised (safe) action",
    ),
    Binding("down,j", "choose(1)", "next", id="unfinished-next", show=False, tooltip="Select the next entry"),
    Binding(
        "up,k", "choose(-1)", "previous", id="unfinished-previous", show=False, tooltip="Select the previous entry"
    ),
]

WAVES: list[BindingType] = [
    Binding("escape,q", "back", "back", id="waves-back", tooltip="Return to the plan"),
    Binding("x", "stop", "stop", id="waves-stop", tooltip="Stop the selected wave rollout"),
    Binding("enter", "go_on", "resume", id="waves-go-on", priority=True, tooltip="Resume the selected wave rollout"),
    Binding("d", "drop", "drop", id="waves-drop", tooltip="Drop a stopped wave rollout and its queue"),
    Binding("down,j", "choose(1)", "next", id="waves-next", show=False, tooltip="Select the next entry"),
    Binding("up,k", "choose(-1)", "previous", id="waves-previous", show=False, tooltip="Select the previous entry"),
    Binding(
        "pagedown,space", "scroll(1)", "scroll", id="waves-scroll-down", show=False, tooltip="Scroll the waves down"
    ),
    Binding("pageup", "scroll(-1)", "scroll back", id="waves-scroll-up", show=False, tooltip="Scroll the waves up"),
]

WHY: list[BindingType] = [
    Binding("escape,q,y", "back", "back", id="why-back", tooltip="Return to the matrix"),
    Binding("r", "judge", "again", id="why-again", tooltip="Evaluate the gates again now"),
    Binding("p", "promote", "stage", id="why-promote", tooltip="Stage this promotion"),
    Binding("down,j", "scroll(1)", "down", id="why-down", show=False, tooltip="Scroll down"),
    Binding("up,k", "scroll(-1)", "up", id="why-up", show=False, tooltip="Scroll up"),
]

REVERT: list[BindingType] = [
    Binding("escape,q,v", "back", "back", id="revert-back", tooltip="Return to the matrix"),
    Binding(
        "enter", "stage", "revert", id="revert-stage", priority=True, tooltip="Stage a revert to the selected version"
    ),
    Binding(
        "b",
        "mark_bad",
        "mark bad",
        id="revert-bad",
        tooltip="Mark/unmark the version as bad everywhere",
    ),
    Binding(
        "E",
        "stage_everywhere",
        "everywhere",
        id="revert-everywhere",
        tooltip="Revert every cell on this version",
    ),
    Binding("down,j", "choose(1)", "next", id="revert-next", show=False, tooltip="Select the next version"),
    Binding("up,k", "choose(-1)", "previous", id="revert-previous", show=False, tooltip="Select the previous version"),
]

PULLS: list[BindingType] = [
    Binding("escape,q", "back", "back", id="pulls-back", tooltip="Return to the matrix"),
    Binding("a", "act('approve')", "approve", id="pulls-approve", tooltip="Approve the selected pull request"),
    Binding("m", "act('merge')", "merge", id="pulls-merge", tooltip="Merge the selected pull request"),
    Binding("M", "act('auto-merge')", "auto-merge", id="pulls-auto", tooltip="Toggle auto-merge"),
    Binding("u", "act('update')", "update", id="pulls-update", tooltip="Update the branch of the pull request"),
    Binding("x", "act('close')", "close", id="pulls-close", tooltip="Close the pull request without merging"),
    Binding("b", "browse", "browser", id="pulls-browse", tooltip="Open the pull request in the browser"),
    Binding("y", "copy", "copy link", id="pulls-copy", show=False, tooltip="Copy the link of the pull request"),
    Binding("r", "refresh", "refresh", id="pulls-refresh", show=False, tooltip="Refresh GitHub now"),
    Binding("down,j", "choose(1)", "next", id="pulls-next", show=False, tooltip="Select the next pull request"),
    Binding(
        "up,k", "choose(-1)", "previous", id="pulls-previous", show=False, tooltip="Select the previous pull request"
    ),
    Binding(
        "pagedown,space",
        "scroll(1)",
        "scroll",
        id="pulls-scroll-down",
        show=False,
        tooltip="Scroll the description down",
    ),
    Binding(
        "pageup", "scroll(-1)", "scroll back", id="pulls-scroll-up", show=False, tooltip="Scroll the description up"
    ),
]

HELP: list[BindingType] = [
    Binding("escape,q,question_mark", "back", "back", id="help-back", tooltip="Close the help"),
    Binding("down,j", "scroll(1)", "down", id="help-down", show=False, tooltip="Scroll down"),
    Binding("up,k", "scroll(-1)", "up", id="help-up", show=False, tooltip="Scroll up"),
]

PROMOTION_REVERT: list[BindingType] = [
    Binding("escape,q,v", "back", "back", id="promotion-revert-back", tooltip="Return to the matrix, keep the marks"),
    Binding(
        "enter", "stage", "revert", id="promotion-revert-stage", priority=True, tooltip="Stage the reverts shown here"
    ),
    Binding("r", "look", "again", id="promotion-revert-again", tooltip="Read the history again now"),
    Binding("down,j", "scroll(1)", "down", id="promotion-revert-down", show=False, tooltip="Scroll down"),
    Binding("up,k", "scroll(-1)", "up", id="promotion-revert-up", show=False, tooltip="Scroll up"),
]

WRITING = frozenset(
    {
        "promote", "promote-row", "promote-stage", "promote-location", "undo", "pass-gate", "abort",
        "plan-confirm", "plan-drop", "plan-undo", "plan-version", "plan-strategy", "plan-reason", "plan-override",
        "plan-supersede", "plan-direct", "unfinished-do", "waves-stop", "waves-go-on", "waves-drop", "why-promote",
        "revert-stage", "revert-bad", "revert-everywhere", "promotion-revert-stage",
        "pulls-approve", "pulls-merge", "pulls-auto", "pulls-update", "pulls-close",
    }
)  # fmt: skip
"""The keys that change something, the plan included: read-only disables them.

Looking is never disabled: the history of a cell and its revert targets are among what `revert` shows, of marked cells
too, so marking is not disabled either.
"""


def writing(bindings: Iterable[BindingType]) -> frozenset[str]:
    """The actions of those among a screen's keys that are in `WRITING`."""
    return frozenset(one.action.partition("(")[0] for one in bindings if isinstance(one, Binding) and one.id in WRITING)
