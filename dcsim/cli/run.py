"""``dcsim run``: run a scenario, keep its result, show it, check what it expects."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from dcsim.cli.options import (
    format_option,
    overrides_of,
    scenario_argument,
    seed_option,
    set_option,
)
from dcsim.cli.output import error_console, show_json, show_tables
from dcsim.errors import InvariantError
from dcsim.report import expectation_table, junit_xml, result_tables
from dcsim.results import check_expectations, check_free, summarise, write_dump, write_run
from dcsim.run import run_scenario
from dcsim.scenario import load_scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dcsim.results import Outcome, RunResult, Summary
    from dcsim.scenario import Scenario

__all__ = ["run"]

EXPECTATION_FAILED = 1


@click.command()
@scenario_argument
@set_option
@seed_option
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to keep the result.  [default: results/<name>, replaced by each run]",
)
@click.option("--overwrite", is_flag=True, help="Replace a result directory at --output.")
@format_option
@click.option("--quiet", is_flag=True, help="No progress, and no tables of what passed.")
@click.option(
    "--junit-xml",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the expectations as JUnit XML too.",
)
def run(
    scenario: Path,
    *,
    overrides: tuple[str, ...],
    seed: int | None,
    output: Path | None,
    overwrite: bool,
    output_format: str,
    quiet: bool,
    junit_xml: Path | None,
) -> int:
    """Run a scenario and keep its result in a directory.

    The directory holds a manifest, Parquet tables and the VMs' consoles; the same scenario, seed
    and version give the same bytes. Exits with 1 when an expectation of the scenario fails, and
    with 3 when the simulation does; what breaks an invariant leaves a directory beside the
    result's, with the command that shows it again.

    \b
    Examples:
      dcsim run scenarios/quickstart.yaml
      dcsim run scenarios/quickstart.yaml --seed 2 --set vms.web.count=4
      dcsim run scenarios/quickstart.yaml --format json --output results/a
    """
    file = load_scenario(scenario, overrides_of(overrides, seed))
    folder = output if output is not None else Path("results") / file.scenario.name
    overwrite = overwrite or output is None
    check_free(folder, overwrite=overwrite)
    with _progress(file.scenario.duration_ns, shown=not quiet) as progress:
        result = _simulate(file.scenario, folder, progress)
    for vm in result.vms:
        if vm.state == "failed":
            click.echo(f"the VM `{vm.name}` failed: {vm.message}", err=True)
    summary = summarise(result)
    write_run(result, folder, overwrite=overwrite)
    outcomes = check_expectations(file, summary)
    if junit_xml is not None:
        _write_junit(junit_xml, file.scenario.name, outcomes)
    if output_format == "json":
        show_json(_as_json(result, summary, outcomes))
    elif not quiet:
        show_tables(result_tables(result, summary))
    return _report(folder, outcomes, output_format, quiet=quiet)


def _simulate(
    scenario: Scenario, folder: Path, progress: Callable[[int], None] | None
) -> RunResult:
    """Run a scenario; one that breaks an invariant leaves what it takes to see that again."""
    try:
        return run_scenario(scenario, progress=progress)
    except InvariantError as error:
        dump = folder.with_name(f"{folder.name}.dump")
        command = write_dump(dump, scenario, scenario.seed, error)
        click.echo(f"dump: {dump}; to see it again: {command}", err=True)
        raise


def _report(folder: Path, outcomes: Sequence[Outcome], output_format: str, *, quiet: bool) -> int:
    """Tell what was expected and found; return the exit code."""
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if outcomes and output_format == "table" and not quiet:
        click.echo()
        show_tables([expectation_table(outcomes)])
    for outcome in failed:
        click.echo(f"failed: {outcome}", err=True)
    if not quiet:
        click.echo(f"result: {folder}", err=True)
    return EXPECTATION_FAILED if failed else 0


def _as_json(result: RunResult, summary: Summary, outcomes: Sequence[Outcome]) -> dict[str, object]:
    """Return what ``--format json`` writes."""
    return {
        "name": result.scenario.name,
        "seed": result.seed,
        "ended_ns": result.ended_ns,
        "cluster": summary.cluster,
        "hosts": summary.hosts,
        "vms": {
            name: {
                **metrics,
                "cycles": dict(summary.families[f"{name}.cycles"]),
                "exits_by_reason": dict(summary.families[f"{name}.exits"]),
                "result": dict(summary.families[f"{name}.result"]),
                "nano": dict(summary.families[f"{name}.nano"]),
                "kernel": dict(summary.families[f"{name}.kernel"]),
            }
            for name, metrics in summary.vms.items()
        },
        "expect": [
            {
                "metric": outcome.metric,
                "comparison": outcome.comparison,
                "bound": outcome.bound,
                "value": outcome.value,
                "passed": outcome.passed,
                "place": str(outcome.place),
            }
            for outcome in outcomes
        ],
    }


def _write_junit(path: Path, name: str, outcomes: Sequence[Outcome]) -> None:
    try:
        path.write_text(junit_xml(name, outcomes), "utf-8")
    except OSError as error:
        raise click.FileError(str(path), error.strerror or "cannot be written") from None


@contextmanager
def _progress(duration_ns: int, *, shown: bool) -> Iterator[Callable[[int], None] | None]:
    """Give what a run tells its simulated time to; a bar on stderr when that is a terminal."""
    console = error_console()
    if not shown or not console.is_terminal:
        yield None
        return
    columns = (
        BarColumn(),
        TextColumn("{task.fields[simulated]:.2f} of {task.fields[duration]:.2f} simulated s"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        duration = duration_ns / 10**9
        task = bar.add_task("run", total=duration_ns, simulated=0.0, duration=duration)

        def advance(now_ns: int) -> None:
            bar.update(task, completed=now_ns, simulated=now_ns / 10**9)

        yield advance
