"""Every key of the program, declared once.

The bindings of each screen, its footer, the help, the palette, the keys that read-only disables and the identifiers
that `keymap` in the configuration remaps all come from the records in `KEYS`. No key does nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from textual.binding import ActiveBinding, Binding, BindingType

Place = Literal[
    "matrix", "everywhere", "cell", "plan", "unfinished", "waves", "why", "revert", "promotion-revert", "pulls", "help",
    "question", "entry",
]  # fmt: skip
"""A screen with keys of its own; the keys of "everywhere" work on all of them but in dialogs."""

Footer = Literal["always", "first", "if-room", "last", "never"]
"""When a footer shows a key: however narrow it is, before those of the next kind, or never (it is in the help)."""

_FOOTER_RANK: Mapping[Footer, int] = {"always": 0, "first": 0, "if-room": 1, "last": 2, "never": 3}


@dataclass(frozen=True, slots=True)
class Key:
    """One key: what it runs, how it is described, and when it is available."""

    id: str
    """The name that `keymap` remaps it by; unique."""
    keys: str
    """The default keys, separated by commas, as Textual names them."""
    action: str
    """The action of the screen or the application, with its arguments."""
    word: str
    """What the footer and the palette call it: at most two words."""
    help: str
    """What it does, for the help and the palette: an imperative of at most 50 characters."""
    footer: Footer = "first"
    writes: bool = False
    """Whether it changes something, the plan included: read-only disables it.

    Looking is never disabled. The history of a cell and its revert targets are among what `revert` shows, for marked
    cells too, so neither reverting nor marking is disabled on the matrix.
    """
    needs_cell: bool = False
    """Whether the matrix dims it while no cell is under the cursor."""
    display: str = ""
    """How the key is written where Textual's own spelling would be unclear."""
    priority: bool = False
    """Whether it comes before the keys of the focused widget."""
    system: bool = False
    """Whether it is in the help only, neither in the footer nor in the palette."""
    works_without_screen: bool = False
    """Whether it works even where the terminal is too small for any screen to be read."""

    @property
    def action_name(self) -> str:
        """The action without its arguments."""
        return self.action.partition("(")[0]

    @property
    def footer_rank(self) -> int:
        """The order in which keys give way where a footer is too narrow: the highest go first."""
        return _FOOTER_RANK[self.footer]

    def binding(self) -> Binding:
        """Return the key as Textual's binding."""
        return Binding(
            self.keys,
            self.action,
            self.word,
            show=self.footer in {"always", "first"},
            key_display=self.display or None,
            priority=self.priority,
            tooltip=self.help,
            id=self.id,
            system=self.system,
        )


_ROLLOUT = (
    Key(
        "pass-gate",
        "g",
        "rollout('promote')",
        "resume",
        "Resume a paused rollout (argo: promote)",
        footer="if-room",
        writes=True,
        needs_cell=True,
    ),
    Key(
        "abort",
        "a",
        "rollout('abort')",
        "abort",
        "Abort a rollout in progress",
        footer="if-room",
        writes=True,
        needs_cell=True,
    ),
)
"""What can be done to the rollout of a cell, on the matrix and on the cell's own page."""

KEYS: Mapping[Place, tuple[Key, ...]] = {
    "matrix": (
        Key("up", "up,k", "move(-1, 0)", "up", "Move to the row above", footer="never"),
        Key("down", "down,j", "move(1, 0)", "down", "Move to the row below", footer="never"),
        Key("left", "left,h", "move(0, -1)", "left", "Move to the previous cluster", footer="never"),
        Key("right", "right,l", "move(0, 1)", "right", "Move to the next cluster", footer="never"),
        Key("page-up", "pageup", "page(-1)", "page up", "Page up", footer="never"),
        Key("page-down", "pagedown", "page(1)", "page down", "Page down", footer="never"),
        Key("first-row", "home", "edge(-1)", "first row", "Move to the first row", footer="never"),
        Key("last-row", "end", "edge(1)", "last row", "Move to the last row", footer="never"),
        *(
            Key(
                f"stage-{number}",
                str(number),
                f"stage({number})",
                f"stage {number}",
                f"Jump to stage {number}",
                footer="never",
            )
            for number in range(1, 10)
        ),
        Key("open", "enter", "open", "open", "Open the details of this cell", needs_cell=True),
        Key(
            "mark",
            "space",
            "mark",
            "mark",
            "Mark this cell or folded stage for p and v",
            footer="if-room",
            needs_cell=True,
        ),
        Key(
            "promote",
            "p",
            "promote",
            "promote",
            "Stage the previous stage's version for this cell",
            writes=True,
            needs_cell=True,
        ),
        Key(
            "promote-row",
            "P",
            "promote_row",
            "promote row",
            "Stage this service's promotion in every stage",
            footer="last",
            writes=True,
            needs_cell=True,
        ),
        Key(
            "promote-stage",
            "A",
            "promote_stage",
            "promote stage",
            "Stage every version this stage is missing",
            footer="last",
            writes=True,
            needs_cell=True,
        ),
        Key(
            "promote-location",
            "L",
            "promote_location",
            "promote location",
            "Stage this service in this stage and location",
            footer="last",
            writes=True,
            needs_cell=True,
        ),
        Key("revert", "v", "revert", "revert", "Revert to a known-good version", needs_cell=True),
        Key("why", "y", "why", "why", "Show the gates of the next version", needs_cell=True),
        *_ROLLOUT,
        Key("undo", "u", "undo", "undo", "Undo the last step of the plan", footer="if-room", writes=True),
        Key("plan", "c", "plan", "plan", "Review the plan: diff, gates, open PRs"),
        Key("pulls", "o", "pulls", "PRs", "Show open and recently merged pull requests"),
        Key("filter", "slash", "filter", "filter", "Filter rows by words", footer="if-room", display="/"),
        Key("attention", "f", "attention", "attention", "Toggle the attention view"),
        Key("worst", "w", "worst", "worst first", "Toggle worst-first sorting", footer="if-room"),
        Key("fold", "z", "fold", "fold", "Toggle folding of the stage under the cursor", footer="if-room"),
        Key("details", "i", "details", "details", "Toggle the detail pane", footer="if-room"),
        Key("refresh", "r", "refresh", "refresh", "Refresh every source now", footer="if-room"),
        Key("back", "escape", "back", "back", "Clear marks, filter, attention view", footer="if-room"),
    ),
    "everywhere": (
        Key("help", "question_mark", "help", "help", "Show every key and symbol", footer="always", display="?"),
        Key("palette", "ctrl+p,colon", "command_palette", "palette", "Find a command by name", footer="if-room"),
        Key("quit", "q", "leave", "quit", "Quit (plan is saved)", footer="always"),
        Key("theme", "ctrl+t", "change_theme", "theme", "Switch theme (this session)", footer="last"),
        Key("picture", "ctrl+s", "save_picture", "picture", "Save this screen as an SVG file", footer="last"),
        Key(
            "quit-anywhere",
            "ctrl+q",
            "leave_from_anywhere",
            "quit",
            "Quit from any screen",
            footer="last",
            priority=True,
        ),
        Key(
            "suspend",
            "ctrl+z",
            "suspend_process",
            "suspend",
            "Suspend sgm (fg resumes it)",
            footer="last",
            priority=True,
            works_without_screen=True,
        ),
        Key(
            "interrupt",
            "ctrl+c",
            "interrupt",
            "interrupt",
            "Copy the selection, else quit (exit 130)",
            footer="if-room",
            priority=True,
            system=True,
            works_without_screen=True,
        ),
    ),
    "cell": (
        Key("page-back", "escape,q", "back", "back", "Return to the matrix", footer="always"),
        Key("page-down-line", "down,j", "scroll(1)", "down", "Scroll down", footer="never"),
        Key("page-up-line", "up,k", "scroll(-1)", "up", "Scroll up", footer="never"),
        *_ROLLOUT,
    ),
    "plan": (
        Key("plan-back", "escape,q", "back", "back", "Return to the matrix (plan is saved)", footer="always"),
        Key(
            "plan-confirm",
            "enter",
            "confirm",
            "open PRs",
            "Open the pull requests, after confirming",
            writes=True,
            priority=True,
        ),
        Key("plan-next", "down,j", "choose(1)", "next", "Select the next change", footer="never"),
        Key("plan-previous", "up,k", "choose(-1)", "previous", "Select the previous change", footer="never"),
        Key("plan-scroll-down", "pagedown,space", "scroll(1)", "diff down", "Scroll the diff down", footer="never"),
        Key("plan-scroll-up", "pageup", "scroll(-1)", "diff up", "Scroll the diff up", footer="never"),
        Key("plan-drop", "d,delete", "drop", "drop", "Remove the selected change from the plan", writes=True),
        Key("plan-undo", "u", "undo", "undo", "Undo the last step of the plan", writes=True),
        Key("plan-version", "e", "edit_version", "version", "Edit the version of the selected change", writes=True),
        Key("plan-strategy", "s", "edit_strategy", "strategy", "Edit the strategy of the selected change", writes=True),
        Key(
            "plan-reason",
            "w",
            "say_why",
            "reason",
            "Edit the reason (commit and pull request)",
            footer="if-room",
            writes=True,
        ),
        Key("plan-override", "o", "override", "override", "Override blocking gates", writes=True),
        Key("plan-supersede", "S", "supersede", "supersede", "Toggle superseding sgm's own pull requests", writes=True),
        Key("plan-direct", "D", "direct", "push", "Toggle direct push (policy.direct)", writes=True),
        Key("plan-unfinished", "U", "unfinished", "unfinished", "Show unfinished writes", footer="if-room"),
        Key("plan-waves", "W", "waves", "waves", "Show promotions queued in waves", footer="if-room"),
        Key("plan-refresh", "r", "preview", "again", "Fetch and compare again", footer="if-room"),
    ),
    "unfinished": (
        Key("unfinished-back", "escape,q", "back", "back", "Return to the plan", footer="always"),
        Key("unfinished-do", "enter", "advised", "do it", "Run the advised (safe) action", writes=True, priority=True),
        Key("unfinished-next", "down,j", "choose(1)", "next", "Select the next entry", footer="never"),
        Key("unfinished-previous", "up,k", "choose(-1)", "previous", "Select the previous entry", footer="never"),
    ),
    "waves": (
        Key("waves-back", "escape,q", "back", "back", "Return to the plan", footer="always"),
        Key("waves-stop", "x", "stop", "stop", "Stop the selected wave rollout", writes=True),
        Key("waves-go-on", "enter", "go_on", "resume", "Resume the selected wave rollout", writes=True, priority=True),
        Key("waves-drop", "d", "drop", "drop", "Drop a stopped wave rollout and its queue", writes=True),
        Key("waves-next", "down,j", "choose(1)", "next", "Select the next entry", footer="never"),
        Key("waves-previous", "up,k", "choose(-1)", "previous", "Select the previous entry", footer="never"),
        Key("waves-scroll-down", "pagedown,space", "scroll(1)", "scroll", "Scroll the waves down", footer="never"),
        Key("waves-scroll-up", "pageup", "scroll(-1)", "scroll back", "Scroll the waves up", footer="never"),
    ),
    "why": (
        Key("why-back", "escape,q,y", "back", "back", "Return to the matrix", footer="always"),
        Key("why-again", "r", "judge", "again", "Evaluate the gates again now"),
        Key("why-promote", "p", "promote", "stage", "Stage this promotion", writes=True),
        Key("why-down", "down,j", "scroll(1)", "down", "Scroll down", footer="never"),
        Key("why-up", "up,k", "scroll(-1)", "up", "Scroll up", footer="never"),
    ),
    "revert": (
        Key("revert-back", "escape,q,v", "back", "back", "Return to the matrix", footer="always"),
        Key(
            "revert-stage",
            "enter",
            "stage",
            "revert",
            "Stage a revert to the selected version",
            writes=True,
            priority=True,
        ),
        Key("revert-bad", "b", "mark_bad", "mark bad", "Mark/unmark the version as bad everywhere", writes=True),
        Key(
            "revert-everywhere", "E", "stage_everywhere", "everywhere", "Revert every cell on this version", writes=True
        ),
        Key("revert-next", "down,j", "choose(1)", "next", "Select the next version", footer="never"),
        Key("revert-previous", "up,k", "choose(-1)", "previous", "Select the previous version", footer="never"),
    ),
    "promotion-revert": (
        Key(
            "promotion-revert-back",
            "escape,q,v",
            "back",
            "back",
            "Return to the matrix, keep the marks",
            footer="always",
        ),
        Key(
            "promotion-revert-stage",
            "enter",
            "stage",
            "revert",
            "Stage the reverts shown here",
            writes=True,
            priority=True,
        ),
        Key("promotion-revert-again", "r", "look", "again", "Read the history again now"),
        Key("promotion-revert-down", "down,j", "scroll(1)", "down", "Scroll down", footer="never"),
        Key("promotion-revert-up", "up,k", "scroll(-1)", "up", "Scroll up", footer="never"),
    ),
    "pulls": (
        Key("pulls-back", "escape,q", "back", "back", "Return to the matrix", footer="always"),
        Key("pulls-approve", "a", "act('approve')", "approve", "Approve the selected pull request", writes=True),
        Key("pulls-merge", "m", "act('merge')", "merge", "Merge the selected pull request", writes=True),
        Key("pulls-auto", "M", "act('auto-merge')", "auto-merge", "Toggle auto-merge", writes=True),
        Key("pulls-update", "u", "act('update')", "update", "Update the branch of the pull request", writes=True),
        Key("pulls-close", "x", "act('close')", "close", "Close the pull request without merging", writes=True),
        Key("pulls-browse", "b", "browse", "browser", "Open the pull request in the browser"),
        Key("pulls-copy", "y", "copy", "copy link", "Copy the link of the pull request", footer="if-room"),
        Key("pulls-refresh", "r", "refresh", "refresh", "Refresh GitHub now", footer="if-room"),
        Key("pulls-next", "down,j", "choose(1)", "next", "Select the next pull request", footer="never"),
        Key("pulls-previous", "up,k", "choose(-1)", "previous", "Select the previous pull request", footer="never"),
        Key(
            "pulls-scroll-down", "pagedown,space", "scroll(1)", "scroll", "Scroll the description down", footer="never"
        ),
        Key("pulls-scroll-up", "pageup", "scroll(-1)", "scroll back", "Scroll the description up", footer="never"),
    ),
    "help": (
        Key("help-back", "escape,q,question_mark", "back", "back", "Close the help", footer="always"),
        Key("help-down", "down,j", "scroll(1)", "down", "Scroll down", footer="never"),
        Key("help-up", "up,k", "scroll(-1)", "up", "Scroll up", footer="never"),
    ),
    "question": (
        Key("confirm-no", "escape", "answer(False)", "cancel", "Cancel", footer="never"),
        Key("confirm-yes", "enter", "answer(True)", "yes", "Confirm", footer="never"),
        Key("confirm-down", "down", "scroll(1)", "down", "Scroll down", footer="never", priority=True),
        Key("confirm-up", "up", "scroll(-1)", "up", "Scroll up", footer="never", priority=True),
    ),
    "entry": (
        Key("entry-no", "escape", "cancel", "cancel", "Cancel", footer="never"),
        Key("entry-next", "down", "choose(1)", "next", "Select the next value", footer="never", priority=True),
        Key(
            "entry-previous", "up", "choose(-1)", "previous", "Select the previous value", footer="never", priority=True
        ),
    ),
}
"""The keys of each place, in the order in which footers, help and palette show them."""

MOUSE: tuple[tuple[str, str], ...] = (
    ("click", "Select a cell, or run a key of the footer"),
    ("twice", "Open the cell"),
    ("on a stage", "Fold or unfold the stage"),
    ("wheel", "Scroll"),
)
"""What the mouse does, for the help."""

_BY_ID: Mapping[str, Key] = {key.id: key for keys in KEYS.values() for key in keys}
_EVERYWHERE = KEYS["everywhere"]


def make_bindings(place: Place) -> list[BindingType]:
    """Return the bindings of a screen, for its `BINDINGS`."""
    return [key.binding() for key in KEYS[place]]


def find_key(binding: BindingType) -> Key | None:
    """Return the record a binding was made from; None for a binding of Textual's own widgets."""
    return _BY_ID.get(binding.id or "") if isinstance(binding, Binding) else None


def sort_active(active_bindings: Iterable[ActiveBinding]) -> list[tuple[Key, ActiveBinding]]:
    """Return the active bindings that have a record: those of the screen, then those of every screen, as declared."""
    active_keys = [(key, active) for active in active_bindings if (key := find_key(active.binding)) is not None]
    return sorted(active_keys, key=lambda pair: _EVERYWHERE.index(pair[0]) + 1 if pair[0] in _EVERYWHERE else 0)


def find_writing_actions(bindings: Iterable[BindingType]) -> frozenset[str]:
    """Return the names of the actions that read-only disables."""
    return frozenset(key.action_name for binding in bindings if (key := find_key(binding)) is not None and key.writes)


def find_cell_actions(place: Place) -> frozenset[str]:
    """Return the names of the actions that need a cell under the cursor."""
    return frozenset(key.action_name for key in KEYS[place] if key.needs_cell)


def find_keys_without_screen(keymap: Mapping[str, str]) -> frozenset[str]:
    """Return the keys, as this keymap has them, that work even where no screen can be read."""
    records = (key for key in KEYS["everywhere"] if key.works_without_screen)
    return frozenset(name.strip() for key in records for name in keymap.get(key.id, key.keys).split(","))
