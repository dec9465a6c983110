"""The themes: five looks and one without any colour. Each gives every tone its look (`present.tones`).

A tone is a Textual style: a colour, or weight, underline and reverse. Every text keeps a contrast of at least 4.5 : 1
against what it is painted on (WCAG 2.2 AA; a test computes it). The plain theme uses no colour: bold, dim, italic,
underline and reverse only.
"""

from __future__ import annotations

from collections.abc import Mapping

from textual.theme import Theme

from sgm_tui.ui.present.tones import Tone

DEFAULT = "dark"
PLAIN = "no-colour"


def _look(**tones: str) -> dict[str, str]:
    missing = {tone.value for tone in Tone} - tones.keys()
    if missing:
        raise ValueError(f"a theme lacks the tones {sorted(missing)}")
    return {f"tone-{name}": style for name, style in tones.items()}


def _places(row: str, cursor: str, band: str, protected: str) -> dict[str, str]:
    return {"row": row, "cell-cursor": cursor, "band": band, "band-protected": protected}


DARK = Theme(
    name="dark",
    primary="#6cb6ff",
    secondary="#8ab4d8",
    accent="#6cb6ff",
    warning="#e3b341",
    error="#ff7b72",
    success="#7ee787",
    foreground="#d7dde8",
    background="#10141b",
    surface="#161b24",
    panel="#1d2430",
    dark=True,
    variables={
        **_look(
            text="#d7dde8",
            strong="bold #f3f6fb",
            quiet="#95a3b8",
            title="bold #9fb3cd",
            good="#7ee787",
            busy="#6cb6ff",
            attention="bold #e3b341",
            bad="bold #ff7b72",
            unknown="italic #b59ad6",
            staged="#5fd7c7",
            protected="bold #ffa198",
            added="#7ee787",
            removed="#ff7b72",
        ),
        **_places("#1b2230", "#25395a", "#161b24", "#3a1d22"),
    },
)
LIGHT = Theme(
    name="light",
    primary="#0550ae",
    secondary="#3b5d80",
    accent="#0550ae",
    warning="#7d4e00",
    error="#b3261e",
    success="#116329",
    foreground="#1f2328",
    background="#ffffff",
    surface="#f6f8fa",
    panel="#eaeef2",
    dark=False,
    variables={
        **_look(
            text="#1f2328",
            strong="bold #0b0d10",
            quiet="#59626c",
            title="bold #44546a",
            good="#116329",
            busy="#0550ae",
            attention="bold #7d4e00",
            bad="bold #b3261e",
            unknown="italic #6e3fa3",
            staged="#0b5d58",
            protected="bold #9a1c15",
            added="#116329",
            removed="#b3261e",
        ),
        **_places("#eef3f9", "#cfe2fb", "#f0f3f6", "#ffe3e0"),
    },
)
HIGH_CONTRAST = Theme(
    name="high-contrast",
    primary="#5ad7ff",
    secondary="#ffffff",
    accent="#ffe600",
    warning="#ffe600",
    error="#ff8080",
    success="#5cff8a",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1a1a1a",
    dark=True,
    variables={
        **_look(
            text="#ffffff",
            strong="bold #ffffff",
            quiet="#c4c4c4",
            title="bold #ffffff",
            good="#5cff8a",
            busy="bold #5ad7ff",
            attention="bold #ffe600",
            bad="bold underline #ff8080",
            unknown="italic #ffb3ff",
            staged="#66ffe0",
            protected="bold #ff8080",
            added="#5cff8a",
            removed="#ff8080",
        ),
        **_places("#2a2a2a", "#003a75", "#1a1a1a", "#5c0000"),
    },
)
COLOUR_BLIND = Theme(
    name="colour-blind",
    primary="#56b4e9",
    secondary="#8ab4d8",
    accent="#56b4e9",
    warning="#f0e442",
    error="#ff9e5e",
    success="#56b4e9",
    foreground="#dfe3ea",
    background="#12151a",
    surface="#181c23",
    panel="#20252e",
    dark=True,
    variables={
        **_look(
            text="#dfe3ea",
            strong="bold #ffffff",
            quiet="#9fa9b8",
            title="bold #b3bfd0",
            good="#56b4e9",
            busy="#56b4e9",
            attention="bold #f0e442",
            bad="bold underline #ff9e5e",
            unknown="italic #c9b3d9",
            staged="#e6a3cc",
            protected="bold #ff9e5e",
            added="#56b4e9",
            removed="#ff9e5e",
        ),
        **_places("#20262f", "#1b3f5a", "#181c23", "#45290f"),
    },
)
_ANSI_WIDGETS = {
    "ansi-background": "ansi_black",
    "ansi-foreground": "ansi_white",
    "border-blurred": "ansi_black",
    "block-cursor-foreground": "ansi_black",
    "block-cursor-background": "ansi_white",
    "input-cursor-background": "ansi_black",
    "input-cursor-foreground": "ansi_bright_white",
    "input-cursor-text-style": "none",
    "input-selection-background": "ansi_bright_blue",
    "input-selection-foreground": "ansi_black",
    "screen-selection-background": "ansi_bright_blue",
    "screen-selection-foreground": "ansi_black",
}


def _ansi(name: str, look: Mapping[str, str], widgets: Mapping[str, str] = _ANSI_WIDGETS) -> Theme:
    default = "ansi_default"
    return Theme(
        name=name,
        ansi=True,
        primary="ansi_blue",
        secondary="ansi_cyan",
        accent="ansi_blue",
        warning="ansi_yellow",
        error="ansi_red",
        success="ansi_green",
        foreground=default,
        background=default,
        surface=default,
        panel=default,
        boost=default,
        dark=True,
        variables={**widgets, **look, **_places(default, default, default, default)},
    )


TERMINAL = _ansi(
    "terminal",
    _look(
        text="ansi_default",
        strong="bold ansi_default",
        quiet="dim ansi_default",
        title="bold ansi_default",
        good="ansi_green",
        busy="ansi_blue",
        attention="bold ansi_yellow",
        bad="bold ansi_red",
        unknown="italic ansi_magenta",
        staged="ansi_cyan",
        protected="bold ansi_red",
        added="ansi_green",
        removed="ansi_red",
    ),
)
NO_COLOUR = _ansi(
    PLAIN,
    _look(
        text="ansi_default",
        strong="bold",
        quiet="dim",
        title="bold",
        good="ansi_default",
        busy="ansi_default",
        attention="bold underline",
        bad="bold reverse",
        unknown="italic",
        staged="underline",
        protected="bold",
        added="bold",
        removed="underline",
    ),
    {**_ANSI_WIDGETS, "input-cursor-text-style": "reverse", "block-cursor-text-style": "reverse"},
)
THEMES = (DARK, LIGHT, HIGH_CONTRAST, COLOUR_BLIND, TERMINAL, NO_COLOUR)
BY_NAME: Mapping[str, Theme] = {theme.name: theme for theme in THEMES}
