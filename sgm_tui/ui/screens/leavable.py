"""A screen that may be left at any moment: nothing it waits for outlives it, nothing that comes late harms.

Textual keeps `is_mounted` true while the children of a removed screen are already gone, and `dismiss` takes away
whatever screen is on top. So every screen asks here whether it is open, and every worker of a screen is cancelled
when the screen is left, at the latest when its next answer comes.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Concatenate, ParamSpec, TypeVar

from textual import events, on
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.geometry import Offset
from textual.message import Message
from textual.screen import Screen, ScreenResultType
from textual.widget import Widget
from textual.worker import NoActiveWorker, Worker, WorkType, get_current_worker

from sgm_tui.ui.enduring import BugTolerantApp, is_closed
from sgm_tui.ui.textual_internals import HookedScreen

logger = logging.getLogger("sgm")

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")
Result = TypeVar("Result")


class ClosableScreen(HookedScreen[ScreenResultType]):
    """A screen whose workers end with it."""

    _is_composed = False
    _result_on_resume: tuple[ScreenResultType | None] | None = None
    """What it is dismissed with as soon as it is on top again; None where it stays."""

    @property
    def is_present(self) -> bool:
        """Whether its widgets are there and may be changed: it is composed and has not been left."""
        return self._is_composed and not is_closed(self)

    async def mount_composed_widgets(self, widgets: list[Widget]) -> None:
        """Notice when its widgets are there."""
        await super().mount_composed_widgets(widgets)
        self._is_composed = True

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Leave this screen and no other: at once where it is on top, else when it is on top again."""
        if is_closed(self):
            return AwaitComplete()
        if not self.is_active:
            self._result_on_resume = (result,)
            return AwaitComplete()
        self._cancel_workers()
        return super().dismiss(result)

    def get_widget_and_offset_at(self, x: int, y: int) -> tuple[Widget | None, Offset | None]:
        """Return the widget at a place and the offset in its text; both None where it was removed since the layout.

        Textual begins a text selection there, in the widget's parent: a removed widget has none.
        """
        widget, offset = super().get_widget_and_offset_at(x, y)
        return (None, None) if widget is None or widget.parent is None else (widget, offset)

    def _cancel_workers(self) -> None:
        """Cancel what it waits for; the worker that leaves it may finish what it does."""
        try:
            leaving: Worker[Any] | None = get_current_worker()
        except NoActiveWorker:
            leaving = None
        for worker in list(self.workers):
            if worker.node is self and worker is not leaving:
                worker.cancel()

    @on(events.ScreenResume)
    def _leave_after_all(self) -> None:
        if self._result_on_resume is not None:
            self.dismiss(self._result_on_resume[0])

    def run_worker(
        self,
        work: WorkType[Result],
        name: str | None = "",
        group: str = "default",
        description: str = "",
        exit_on_error: bool = True,
        start: bool = True,
        exclusive: bool = False,
        thread: bool = False,
    ) -> Worker[Result]:
        """Run work for this screen: it is cancelled when the screen is left."""
        work = work if thread else functools.partial(_run_while_open, work, self)
        return super().run_worker(work, name, group, description, exit_on_error, start, exclusive, thread)

    async def ask(self, question: Screen[Answer]) -> Answer:
        """Show a question on this screen and wait for its answer; None where the question was closed without one.

        Raises:
            CancelledError: another screen is on top meanwhile: nobody there expects the question.
        """
        if not self.is_active:
            raise asyncio.CancelledError
        return await ask(self.app, question)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that arrive after it was left do nothing."""
        return not is_closed(self)

    async def dispatch(self, message: Message) -> None:
        """Survive a bug in a handler, where the application can."""
        app = self.app
        if not isinstance(app, BugTolerantApp) or isinstance(message, events.Compose | events.Mount):
            await super().dispatch(message)
            return
        try:
            await super().dispatch(message)
        except Exception as error:
            logger.exception("a bug in sgm, in a handler of %s of %s", type(message).__name__, type(self).__name__)
            app.survive(error, self)


async def ask(app: App[Any], question: Screen[Answer]) -> Answer:
    """Show a question and wait for its answer; a question that nobody waits for any more is taken away."""
    try:
        return await app.push_screen_wait(question)
    finally:
        if question in app.screen_stack:
            question.dismiss()


def outlives_screen(
    group: str,
) -> Callable[
    [Callable[Concatenate[Any, Parameters], Coroutine[Any, Any, Result]]],
    Callable[Concatenate[Any, Parameters], Worker[Result]],
]:
    """Make a method of a screen a worker of the application: what it writes is not cut off when the screen is left."""

    def decorate(
        method: Callable[Concatenate[Any, Parameters], Coroutine[Any, Any, Result]],
    ) -> Callable[Concatenate[Any, Parameters], Worker[Result]]:
        def run(screen: Any, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Worker[Result]:
            worker: Worker[Result] = screen.app.run_worker(
                functools.partial(method, screen, *args, **kwargs), name=method.__name__, group=group
            )
            return worker

        functools.update_wrapper(run, method)
        return run

    return decorate


async def _run_while_open(work: Any, screen: ClosableScreen[Any]) -> Any:
    """Run the work of a worker; the first answer that comes after the screen was left cancels it."""
    started: Awaitable[Any] = work if inspect.isawaitable(work) else work()
    try:
        return await _WhilePresent(_awaited(started), screen)
    except Exception as error:
        if not is_closed(screen):
            raise
        logger.info("the caller no longer awaits this failure", exc_info=error)
        raise asyncio.CancelledError from error


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


class _WhilePresent(Generator[Any, Any, Any]):
    """Hands every wait of a coroutine to the loop, and looks at the screen before it goes on with an answer."""

    def __init__(self, work: Coroutine[Any, Any, Any], screen: ClosableScreen[Any]) -> None:
        self._work = work
        self._screen = screen
        self._has_begun = False

    def __await__(self) -> Generator[Any, Any, Any]:
        return self

    def send(self, answer: Any, /) -> Any:
        """Go on, or end as if cancelled where the screen was left meanwhile."""
        if self._has_begun and is_closed(self._screen):
            return self._work.throw(asyncio.CancelledError("the screen was left"))
        self._has_begun = True
        return self._work.send(answer)

    def throw(self, kind: Any, value: Any = None, trace: Any = None, /) -> Any:
        """Let it clean up where it waits."""
        return self._work.throw(kind if value is None else value)
