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
    Binding("a", "rollout('abort')", "abort", id="abort", show=False, tooltip="Abort a rollout that is under way"),
]

MATRIX: list[BindingType] = [
    Binding("up,k", "move(-1, 0)", "up", id="up", show=False, group=_MOVE, tooltip="The row above"),
    Binding("down,j", "move(1, 0)", "down", id="down", show=False, group=_MOVE, tooltip="The row below"),
    Binding("left,h", "move(0, -1)", "left", id="left", show=False, group=_MOVE, tooltip="The cluster before"),
    Binding("right,l", "move(0, 1)", "right", id="right", show=False, group=_MOVE, tooltip="The next cluster"),
    Binding("pageup", "page(-1)", "page up", id="page-up", show=False, tooltip="A screen of rows up"),
    Binding("pagedown", "page(1)", "page down", id="page-down", show=False, tooltip="A screen of rows down"),
    Binding("home", "edge(-1)", "first row", id="first-row", show=False, tooltip="The first row"),
    Binding("end", "edge(1)", "last row", id="last-row", show=False, tooltip="The last row"),
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
    Binding("enter", "open", "open", id="open", tooltip="Everything about this cell"),
    Binding("space", "mark", "mark", id="mark", show=False, tooltip="Mark this cell or folded stage for p and v"),
    Binding("p", "promote", "promote", id="promote", tooltip="Plan the stage before's version for this cell"),
    Binding(
        "P", "promote_row", "promote row", id="promote-row", show=False, tooltip="Plan this service along its stages"
    ),
    Binding(
        "A",
        "promote_stage",
        "promote stage",
        id="promote-stage",
        show=False,
        tooltip="Plan all the stage before has and this one not",
    ),
    Binding(
        "L",
        "promote_location",
        "promote location",
        id="promote-location",
        show=False,
        tooltip="Plan all clusters of this stage and location",
    ),
    Binding("v", "revert", "revert", id="revert", tooltip="Revert to a known-good version"),
    Binding("y", "why", "why", id="why", tooltip="What stands in the way of the next version"),
    *_ACTING,
    Binding("u", "undo", "undo", id="undo", show=False, tooltip="Take back the last step of the plan"),
    Binding("c", "plan", "plan", id="plan", tooltip="What is planned, its exact diff, and sending it"),
    Binding("o", "pulls", "PRs", id="pulls", tooltip="Pull requests: open ones and those just merged"),
    Binding(
        "slash", "filter", "filter", id="filter", show=False, key_display="/", tooltip="Only rows that match some words"
    ),
    Binding("f", "attention", "attention", id="attention", tooltip="Only what needs attention, or everything"),
    Binding("w", "worst", "worst first", id="worst", show=False, tooltip="Most urgent rows first, or by name"),
    Binding("z", "fold", "fold", id="fold", show=False, tooltip="Fold or unfold the stage under the cursor"),
    Binding("i", "details", "details", id="details", show=False, tooltip="Show or hide the detail pane"),
    Binding("r", "refresh", "refresh", id="refresh", show=False, tooltip="Ask every source to look again now"),
    Binding("escape", "back", "back", id="back", show=False, tooltip="Leave marks, filter, attention view"),
]

EVERYWHERE: list[BindingType] = [
    Binding("question_mark", "help", "help", id="help", key_display="?", tooltip="Every key and every sign"),
    Binding(
        "ctrl+p,colon",
        "command_palette",
        "palette",
        id="palette",
        show=False,
        tooltip="Find a command by name",
    ),
    Binding("q", "leave", "quit", id="quit", tooltip="Leave; the plan is kept"),
    Binding("ctrl+t", "change_theme", "theme", id="theme", show=False, tooltip="Choose how it looks, for this time"),
    Binding("ctrl+s", "save_picture", "picture", id="picture", show=False, tooltip="Keep this screen as an SVG file"),
    Binding(
        "ctrl+q",
        "leave_from_anywhere",
        "quit",
        id="quit-anywhere",
        show=False,
        priority=True,
        tooltip="Leave, from any page",
    ),
    Binding(
        "ctrl+z", "suspend_process", "suspend", id="suspend", show=False, priority=True, tooltip="Stop; fg goes on"
    ),
    Binding(
        "ctrl+c",
        "interrupt",
        "interrupt",
        id="interrupt",
        show=False,
        priority=True,
        system=True,
        tooltip="Copy the selection; without one, quit (exit 130)",
    ),
]

MOUSE: tuple[tuple[str, str], ...] = (
    ("click", "Choose a cell; or do what a key in the footer does"),
    ("twice", "Open the cell"),
    ("on a stage", "Fold or unfold it"),
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
    told = [one for one in active if one.binding.id and one.binding.tooltip]
    return sorted(told, key=lambda one: everywhere.index(one.binding.id) + 1 if one.binding.id in everywhere else 0)


_ALWAYS = frozenset({"interrupt", "suspend"})


def always(keymap: Mapping[str, str]) -> frozenset[str]:
    """The keys, as this keymap has them, that work even where no screen can be read."""
    chosen = (one for one in EVERYWHERE if isinstance(one, Binding) and one.id in _ALWAYS)
    return frozenset(key.strip() for one in chosen for key in keymap.get(one.id or "", one.key).split(","))


CELL: list[BindingType] = [
    Binding("escape,q", "back", "back", id="page-back", tooltip="Back to the matrix"),
    Binding("down,j", "scroll(1)", "down", id="page-down-line", show=False, tooltip="Scroll down"),
    Binding("up,k", "scroll(-1)", "up", id="page-up-line", show=False, tooltip="Scroll up"),
    *_ACTING,
]

PLAN: list[BindingType] = [
    Binding("escape,q", "back", "back", id="plan-back", tooltip="Back to the matrix; the plan stays"),
    Binding("enter", "confirm", "open PRs", id="plan-confirm", priority=True, tooltip="Asks once more first"),
    Binding("down,j", "choose(1)", "next", id="plan-next", show=False, tooltip="The next change"),
    Binding("up,k", "choose(-1)", "previous", id="plan-previous", show=False, tooltip="The change before"),
    Binding("pagedown,space", "scroll(1)", "diff down", id="plan-scroll-down", show=False, tooltip="Scroll the diff"),
    Binding("pageup", "scroll(-1)", "diff up", id="plan-scroll-up", show=False, tooltip="Scroll the diff back"),
    Binding("d,delete", "drop", "drop", id="plan-drop", tooltip="Take the chosen change out of the plan"),
    Binding("u", "undo", "undo", id="plan-undo", tooltip="Take back the last step of the plan"),
    Binding("e", "edit_version", "version", id="plan-version", tooltip="Another version for the chosen change"),
    Binding(
        "s", "edit_strategy", "strategy", id="plan-strategy", tooltip="Another rollout strategy for the chosen change"
    ),
    Binding(
        "w", "say_why", "reason", id="plan-reason", show=False, tooltip="Say why: it goes into commit and pull request"
    ),
    Binding("o", "override", "override", id="plan-override", tooltip="Go over the gates that block, with a reason"),
    Binding(
        "S",
        "supersede",
        "supersede",
        id="plan-supersede",
        tooltip="Take the place of sgm's own open pull requests that are in the way; once more takes it back",
    ),
    Binding(
        "D",
        "direct",
        "push",
        id="plan-direct",
        tooltip="Push without a pull request, where policy.direct allows it; once more takes it back",
    ),
    Binding(
        "U", "unfinished", "unfinished", id="plan-unfinished", show=False, tooltip="Writes that were never finished"
    ),
    Binding("W", "waves", "waves", id="plan-waves", show=False, tooltip="Promotions that go wave by wave"),
    Binding("r", "preview", "again", id="plan-refresh", show=False, tooltip="Fetch and compare again"),
]

UNFINISHED: list[BindingType] = [
    Binding("escape,q", "back", "back", id="unfinished-back", tooltip="Back to the plan"),
    Binding(
        "enter",
        "advised",
        "do it",
        id="unfinished-do",
        priority=True,
        tooltip="Do what is advised: the safe next step",
    ),
    Binding("down,j", "choose(1)", "next", id="unfinished-next", show=False, tooltip="The next one"),
    Binding("up,k", "choose(-1)", "previous", id="unfinished-previous", show=False, tooltip="The one before"),
]

WAVES: list[BindingType] = [
    Binding("escape,q", "back", "back", id="waves-back", tooltip="Back to the plan"),
    Binding("x", "stop", "stop", id="waves-stop", tooltip="Open no further wave of this one"),
    Binding("enter", "go_on", "go on", id="waves-go-on", priority=True, tooltip="Let a stopped one go on"),
    Binding("d", "drop", "drop", id="waves-drop", tooltip="Forget a stopped one: what is not open is never opened"),
    Binding("down,j", "choose(1)", "next", id="waves-next", show=False, tooltip="The next one"),
    Binding("up,k", "choose(-1)", "previous", id="waves-previous", show=False, tooltip="The one before"),
    Binding("pagedown,space", "scroll(1)", "scroll", id="waves-scroll-down", show=False, tooltip="Scroll its waves"),
    Binding("pageup", "scroll(-1)", "scroll back", id="waves-scroll-up", show=False, tooltip="Scroll them back"),
]

WHY: list[BindingType] = [
    Binding("escape,q,y", "back", "back", id="why-back", tooltip="Back to the matrix"),
    Binding("r", "judge", "again", id="why-again", tooltip="Look again now"),
    Binding("p", "promote", "plan it", id="why-promote", tooltip="Plan this promotion"),
    Binding("down,j", "scroll(1)", "down", id="why-down", show=False, tooltip="Scroll down"),
    Binding("up,k", "scroll(-1)", "up", id="why-up", show=False, tooltip="Scroll up"),
]

REVERT: list[BindingType] = [
    Binding("escape,q,v", "back", "back", id="revert-back", tooltip="Back to the matrix"),
    Binding("enter", "stage", "plan the way back", id="revert-stage", priority=True, tooltip="To the chosen version"),
    Binding(
        "b",
        "mark_bad",
        "mark it bad",
        id="revert-bad",
        tooltip="Hold the version that is left back from every cell, or the one you moved the cursor to; or let it go",
    ),
    Binding(
        "E",
        "stage_everywhere",
        "everywhere",
        id="revert-everywhere",
        tooltip="Plan the way back of every cell that runs what git wants here, or is about to",
    ),
    Binding("down,j", "choose(1)", "next", id="revert-next", show=False, tooltip="The next version"),
    Binding("up,k", "choose(-1)", "previous", id="revert-previous", show=False, tooltip="The version before"),
]

PULLS: list[BindingType] = [
    Binding("escape,q", "back", "back", id="pulls-back", tooltip="Back to the matrix"),
    Binding("a", "act('approve')", "approve", id="pulls-approve", tooltip="Approve the chosen one"),
    Binding("m", "act('merge')", "merge", id="pulls-merge", tooltip="Merge the chosen one"),
    Binding("M", "act('auto-merge')", "auto-merge", id="pulls-auto", tooltip="Let it merge by itself, or not any more"),
    Binding("u", "act('update')", "update", id="pulls-update", tooltip="Bring its branch up to date"),
    Binding("x", "act('close')", "close", id="pulls-close", tooltip="Close it without merging"),
    Binding("b", "browse", "browser", id="pulls-browse", tooltip="Open it in the browser"),
    Binding("y", "copy", "copy link", id="pulls-copy", show=False, tooltip="Copy its link"),
    Binding("r", "refresh", "refresh", id="pulls-refresh", show=False, tooltip="Ask GitHub again now"),
    Binding("down,j", "choose(1)", "next", id="pulls-next", show=False, tooltip="The next pull request"),
    Binding("up,k", "choose(-1)", "previous", id="pulls-previous", show=False, tooltip="The pull request before"),
    Binding(
        "pagedown,space", "scroll(1)", "scroll", id="pulls-scroll-down", show=False, tooltip="Scroll what is told of it"
    ),
    Binding("pageup", "scroll(-1)", "scroll back", id="pulls-scroll-up", show=False, tooltip="Scroll it back"),
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
