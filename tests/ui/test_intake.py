"""What is typed comes in as keys, what is pasted as one paste, whatever the terminal makes of it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual.message import Message

from sgm_tui.ui.terminal.intake import LONGEST, WINDOW, TerminalInput

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def keys(messages: Iterable[Message]) -> list[str]:
    return [one.key for one in messages if isinstance(one, events.Key)]


def pasted(messages: Iterable[Message]) -> str:
    return "".join(one.text for one in messages if isinstance(one, events.Paste))


def typed(intake: TerminalInput, pieces: Iterable[str], every: float, start: float = 100.0) -> Iterator[Message]:
    """Pieces that come at a pace."""
    for at, piece in enumerate(pieces):
        yield from intake.take(piece.encode(), start + at * every)


@pytest.mark.parametrize("every", [0.25, 0.08, 0.04], ids=["slow", "fast", "a machine gun"])
def test_whatever_a_person_can_type_comes_in_as_keys(every: float) -> None:
    text = "promotion of checkout because of the holidays"
    got = list(typed(TerminalInput(), text, every))
    assert keys(got) == [{" ": "space"}.get(letter, letter) for letter in text]
    assert not pasted(got)


@pytest.mark.parametrize("rate", [30, 60])
@pytest.mark.parametrize("key", ["j", "\x7f", " "], ids=["j", "backspace", "space"])
def test_a_held_key_is_never_dropped(key: str, rate: int) -> None:
    got = list(typed(TerminalInput(), [key] * 600, 1 / rate))
    assert len(keys(got)) == 600


def test_a_held_key_that_gathered_while_nobody_read_is_not_dropped() -> None:
    assert len(keys(typed(TerminalInput(), ["j" * 30, "j", "j"], 0.02))) == 32


@pytest.mark.parametrize("arrow", ["\x1b[A", "\x1b[B", "\x1bOC"])
def test_arrows_come_in_however_many_there_are(arrow: str) -> None:
    assert len(keys(TerminalInput().take(arrow.encode() * 300, 1.0))) == 300


def test_a_paste_without_brackets_is_one_paste_and_no_key() -> None:
    got = list(typed(TerminalInput(), ["kubectl get pods -n prod\r"], 0))
    assert keys(got) == []
    assert pasted(got) == "kubectl get pods -n prod\r"


def test_a_paste_in_small_pieces_is_seen_through_and_what_follows_is_part_of_it() -> None:
    got = list(typed(TerminalInput(), [ALPHABET, "p", "c", "\r", "P"], 0.005))
    assert keys(got) == []
    assert pasted(got) == f"{ALPHABET}pc\rP"


def test_mashing_the_keyboard_is_a_paste_too() -> None:
    got = list(typed(TerminalInput(), random.Random(5).choices(ALPHABET, k=400), 0.004))
    assert len(keys(got)) <= 12


def test_a_large_paste_is_cut_and_not_taken_apart() -> None:
    intake = TerminalInput()
    got = list(typed(intake, [(ALPHABET * 160)[:4096] for _ in range(50)], 0.01))
    assert keys(got) == []
    assert len(pasted(got)) == LONGEST
    assert len(pasted(intake.take(b"\x1b[200~" + b"x" * 100_000 + b"\x1b[201~", 200.0))) == LONGEST


@pytest.mark.parametrize("pause", [WINDOW, 0.05], ids=["when it is quiet", "or for a single key after a pause"])
def test_keys_come_in_again_after_a_paste(pause: float) -> None:
    intake = TerminalInput()
    intake.take(ALPHABET.encode(), 1.0)
    assert keys(intake.take(b"\r", 1.0 + pause)) == ["enter"]
    assert keys(intake.take(b"j", 1.1 + pause)) == ["j"]


def test_terminals_that_report_every_key_are_counted_alike() -> None:
    burst = "".join(f"\x1b[{ord(letter)};;{ord(letter)}u" for letter in ALPHABET)
    got = TerminalInput().take(burst.encode(), 1.0)
    assert keys(got) == []
    assert pasted(got) == ALPHABET


def test_the_mouse_and_the_focus_are_not_held_back_by_a_paste() -> None:
    intake = TerminalInput()
    intake.take(ALPHABET.encode(), 1.0)
    got = intake.take(b"\x1b[<35;10;20M\x1b[I" + b"xyz", 1.01)
    assert [type(one) for one in got[:2]] == [events.MouseMove, events.AppFocus]


def test_brackets_may_come_in_two_pieces() -> None:
    intake = TerminalInput()
    got = list(typed(intake, ["\x1b[20", "0~" + "prod" * 100, "\r" * 300, "more\x1b[20", "1~", "j"], 0.05))
    assert pasted(got) == "prod" * 100 + "\r" * 300 + "more"
    assert keys(got) == ["j"]


def test_a_bracket_that_is_never_closed_does_not_swallow_the_keyboard() -> None:
    intake = TerminalInput()
    assert not keys(intake.take(b"\x1b[200~lost", 1.0))
    assert not intake.take(b"", 1.5)
    assert pasted(intake.take(b"", 4.0)) == "lost"
    assert keys(intake.take(b"q", 5.0)) == ["q"]


def test_bytes_that_are_no_text_are_survived() -> None:
    intake = TerminalInput()
    intake.take(b"\xff\xfe\x80", 1.0)
    intake.take(b"\x1b[99999999999;1;1u", 2.0)
    intake.take(b"", 3.0)
    assert keys(intake.take(b"q", 9.0)) == ["q"]


SEQUENCES = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda head, body: b"\x1b" + head + body,
        st.sampled_from([b"[", b"]", b"P", b"O", b"[<", b"[?"]),
        st.binary(max_size=20),
    ),
    st.from_regex(rb"\x1b\[[0-9;:<?]{0,12}[a-zA-Z~]", fullmatch=True),
)


@given(st.lists(SEQUENCES, max_size=20))
def test_nothing_a_terminal_may_send_ends_the_intake_or_makes_it_deaf(pieces: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textual.constants.ESCAPE_DELAY", 0.0)  # a sequence that is never ended has ended at once
        intake = TerminalInput()
        for at, piece in enumerate(pieces):
            intake.take(piece, 1.0 + at / 10)
        for second in range(10, 16):
            intake.take(b"", second)
        assert keys(intake.take(b"q", 20.0))[-1:] == ["q"]
