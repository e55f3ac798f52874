"""Reference pages that are made of the code itself, so that they cannot differ from it.

A page names one with the directive ``{generated} scenario``; its text is Markdown.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

import click
from sphinx.util.docutils import SphinxDirective

from dcsim.cli.main import commands
from dcsim.hardware import (
    disk_profile_names,
    load_disk_profile,
    load_power_curve,
    load_profile,
    power_curve_names,
    profile_names,
)
from dcsim.hypervisor import PAGINGS, TECHNIQUES
from dcsim.results.tables import TABLES
from dcsim.scenario.metrics import CLUSTER_METRICS, HOST_METRICS, VM_METRICS
from dcsim.scenario.schema import schema_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from docutils import nodes
    from sphinx.application import Sphinx

    from dcsim.scenario.metrics import Metric


class Generated(SphinxDirective):
    """Replaces itself by what one of the functions below returns."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """Return the nodes of the generated text."""
        text = "\n".join(_PAGES[self.arguments[0]]())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def _command_line() -> Iterator[str]:
    """Yield the help of every command."""
    context = click.Context(commands, info_name="dcsim")
    for name in commands.list_commands(context):
        command = commands.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=f"dcsim {name}", max_content_width=100)
        yield from (f"## dcsim {name}", "", "```text", command.get_help(inner), "```", "")


def _scenario() -> Iterator[str]:
    """Yield one table for each model of the scenario's schema."""
    schema = json.loads(schema_text())
    yield from _model("The top level", schema)
    for name, definition in schema["$defs"].items():
        yield from _model(name, definition)

    yield from _techniques()


def _techniques() -> Iterator[str]:
    """Yield what a VM's `technique` and `paging` may be, and what goes together."""
    yield from ("## Techniques", "")
    yield "| technique | is | paging, its own first | needs | `translate_user` |"
    yield "|---|---|---|---|---|"
    for name, technique in TECHNIQUES.items():
        pagings = ", ".join(f"`{paging}`" for paging in technique.pagings)
        users = "can be `true`" if technique.translates else ""
        yield f"| `{name}` | {technique.meaning} | {pagings} | {technique.needs} | {users} |"
    yield from ("", "## Pagings", "", "| paging | is |", "|---|---|")
    yield from (f"| `{name}` | {meaning} |" for name, meaning in PAGINGS.items())
    yield ""


def _model(name: str, definition: dict[str, Any]) -> Iterator[str]:
    yield from (f"## {name}", "", definition.get("description", ""), "")
    yield from ("| key | type | default | meaning |", "|---|---|---|---|")
    required = definition.get("required", [])
    for key, field in definition["properties"].items():
        default = "required" if key in required else f"`{json.dumps(field.get('default'))}`"
        default = "" if "$ref" in field or isinstance(field.get("default"), dict) else default
        meaning = field.get("description", "").replace("\n", " ")
        yield f"| `{key}` | {_type(field)} | {default} | {meaning} |"
    yield ""


def _type(field: dict[str, Any]) -> str:
    """Return the type of a field in a few words."""
    if "$ref" in field:
        name = field["$ref"].removeprefix("#/$defs/")
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(_type(each) for each in field["anyOf"] if each.get("type") != "null")
    if "enum" in field or "const" in field:
        return ", ".join(f"`{each}`" for each in field.get("enum") or [field["const"]])
    if "x-unit" in field:
        return f"quantity (`{field['examples'][0]}`)"
    if field.get("type") == "array":
        items = field.get("items") or field["prefixItems"][0]
        return f"list of {_type(items)}"
    names = {"integer": "whole number", "number": "number", "string": "text"}
    return names.get(field.get("type", ""), "`true`, `false`")


def _results() -> Iterator[str]:
    """Yield one table for each table of a result."""
    for table in TABLES:
        yield from (f"## {table.name}.parquet", "", f"{table.meaning}.", "")
        yield from ("| column | type | unit | meaning |", "|---|---|---|---|")
        for column in table.columns:
            kind = f"{column.kind}{' or nothing' if column.optional else ''}"
            yield f"| `{column.name}` | {kind} | {column.unit} | {column.meaning} |"
        yield ""


def _metrics() -> Iterator[str]:
    """Yield the vocabulary of expectations."""
    for scope, metrics in (
        ("vm.<name>", VM_METRICS),
        ("host.<name>", HOST_METRICS),
        ("cluster", CLUSTER_METRICS),
    ):
        yield from _metric_table(scope, metrics)


def _metric_table(scope: str, metrics: Sequence[Metric]) -> Iterator[str]:
    yield from (f"## `{scope}.`", "", "| metric | unit | meaning |", "|---|---|---|")
    for metric in metrics:
        yield f"| `{metric.name}` | {metric.unit} | {metric.meaning} |"
    yield ""


def _hardware() -> Iterator[str]:
    """Yield every constant of every profile, power curve and disk with its source."""
    for name in profile_names():
        profile = load_profile(name)
        yield from (f"## {name}", "", f"{profile.title}. {profile.description}", "")
        yield from _ledger(profile.ledger())
    for name in power_curve_names():
        curve = load_power_curve(name)
        yield from (f"## {name}", "", f"{curve.title}.", "")
        yield from _ledger(curve.ledger())
    for name in disk_profile_names():
        disk = load_disk_profile(name)
        yield from (f"## {name}", "", f"{disk.title}.", "")
        yield from _ledger(disk.ledger())


def _ledger(entries: Iterable[Any]) -> Iterator[str]:
    yield from ("| constant | value | unit | kind | source |", "|---|---|---|---|---|")
    for entry in entries:
        figure = f"{entry.value:,} | {entry.unit} | {entry.kind}"
        yield f"| `{entry.name}` | {figure} | {entry.source} |"
    yield ""


_PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "command-line": _command_line,
    "scenario": _scenario,
    "results": _results,
    "metrics": _metrics,
    "hardware": _hardware,
}


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known to Sphinx."""
    app.add_directive("generated", Generated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
