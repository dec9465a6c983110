"""Render values with the template language of an ApplicationSet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sgm_tui.fleet.argo.application_sets.parameters import Parameters
from sgm_tui.fleet.argo.go_template import render_go
from sgm_tui.fleet.argo.go_values import NO_VALUE, TemplateError
from sgm_tui.yaml_reader.marked import Marked

_PLAIN_KEY = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Renderer:
    """One of the two template languages: Go's, or plain `{{key}}` substitution (fasttemplate)."""

    uses_go: bool
    is_strict: bool
    """`missingkey=error`: a missing key is an error in Go templates."""

    def render(self, value: Any, parameters: Parameters, *, final: bool = False) -> Any:
        """Render every string of a value, keys included.

        Args:
            value: mappings, lists, strings and other scalars.
            parameters: the values to fill in.
            final: nothing may remain to be filled in; Argo CD itself does not check this.

        Raises:
            TemplateError: a template is wrong or needs a missing value.
            UnsupportedError: a template uses something that is not understood here.
        """
        if isinstance(value, Mapping):
            return {
                self._render_text(key, parameters, final=final): self.render(item, parameters, final=final)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.render(item, parameters, final=final) for item in value]
        return self._render_text(value, parameters, final=final) if isinstance(value, str) else value

    def _render_text(self, text: str, parameters: Parameters, *, final: bool) -> str:
        if "{{" not in text:
            return text
        if self.uses_go:
            rendered = render_go(text, parameters, strict=self.is_strict)
        else:
            rendered = render_plain(text, parameters)
        if final and self.uses_go and NO_VALUE in rendered:
            raise TemplateError(f"becomes {rendered}", template=text)
        if final and not self.uses_go and "{{" in rendered:
            raise TemplateError("stays as it is written, for there is no such parameter", template=text)
        return Marked(rendered, text.line, text.column) if isinstance(text, Marked) else rendered


def render_plain(text: str, parameters: Mapping[str, Any]) -> str:
    """Replace every `{{key}}` whose parameter is a string; all others stay as written."""

    def replace(match: re.Match[str]) -> str:
        value = parameters.get(match[1])
        return value if isinstance(value, str) else match[0]

    return _PLAIN_KEY.sub(replace, text)
