"""`sgm audit`: what was done with sgm from here, and whether the record of it is whole."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from typing import Any

from sgm_tui.commands import output
from sgm_tui.commands.arguments import count
from sgm_tui.commands.common import load_config, nearest, one_of
from sgm_tui.commands.table import COMMANDS
from sgm_tui.report.tables import align
from sgm_tui.untrusted_text import clean

_WORDS = 60


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser("audit", parents=[shared], help=COMMANDS["audit"])
    parser.add_argument(
        "what",
        nargs="?",
        choices=("show", "verify"),
        default="show",
        help="show the records (default), or verify the hash chain",
    )
    parser.add_argument("--service", metavar="SERVICE", help="only this service")
    parser.add_argument("--stage", metavar="STAGE", help="only this stage")
    parser.add_argument("-n", "--limit", type=count, default=50, metavar="N", help="the newest N (default: 50)")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="output format")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the audit records or verify their hash chain; return the exit code."""
    from sgm_tui.operations.audit import Audit
    from sgm_tui.wiring import fleet_directory

    config = asyncio.run(load_config(arguments))
    audit = Audit(fleet_directory(config) / "audit.jsonl")
    if arguments.what == "verify":
        return _verify(audit.verify(), str(audit.file), len(audit.records()), arguments)
    if arguments.stage:
        one_of("stage", arguments.stage, [stage.name for stage in config.stages])
    known = audit.records()
    records = [one for one in known if _is_selected(one, arguments)][-arguments.limit :]
    if unreadable := audit.count_unreadable_lines():
        lines = "1 line" if unreadable == 1 else f"{unreadable} lines"
        output.note(f"sgm: {lines} of the audit log cannot be read: sgm audit verify")
    elif not records:
        output.note(_nothing(known, arguments))
    if arguments.output == "json":
        output.data(json.dumps({"schema": 1, "records": records}, indent=2, ensure_ascii=False))
    else:
        rows = [_row(one) for one in reversed(records)]
        output.data("\n".join(align([("WHEN", "WHO", "DID", "STAGE", "WHAT", "NUMBER", "OVERRIDDEN", "WHY"), *rows])))
    return 0


def _nothing(records: Sequence[dict[str, Any]], arguments: argparse.Namespace) -> str:
    """Why there is no record to show: an empty table answers nobody whether the name was right."""
    if not records:
        return "sgm: the audit log is empty"
    services = sorted({str(one) for record in records for one in record.get("services") or ()})
    if not arguments.service or arguments.service in services:
        return "sgm: no matching audit records"
    return clean(f"sgm: no audit records of {arguments.service}. {nearest(arguments.service, services)}", 300)


def _verify(line: int | None, file: str, records: int, arguments: argparse.Namespace) -> int:
    if arguments.output == "json":
        document = {"schema": 1, "file": file, "whole": line is None, "breaks_at_line": line}
        output.data(json.dumps(document, indent=2, ensure_ascii=False))
    elif line is None:
        output.data(f"OK, chain intact ({records} record{'' if records == 1 else 's'}): {file}")
    else:
        output.data(f"{file}:{line}: chain broken here: a record was changed or removed")
    return 0 if line is None else 1


def _is_selected(record: dict[str, Any], arguments: argparse.Namespace) -> bool:
    in_stage = not arguments.stage or arguments.stage in (record.get("stages") or [record.get("stage")])
    return in_stage and (not arguments.service or arguments.service in (record.get("services") or ()))


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    number = f"#{record['number']}" if record.get("number") else ""
    overridden = ", ".join(str(one) for one in record.get("overridden") or ())
    texts = (record.get("at"), record.get("actor"), record.get("action"), record.get("stage"), record.get("title"))
    details = (*(clean(str(one or "")) for one in texts), number, clean(overridden))
    return (*details, clean(str(record.get("reason") or ""), _WORDS))
