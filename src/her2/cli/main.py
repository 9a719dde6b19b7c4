"""The command line: thin edges over the library. Slow imports happen inside the commands."""

from __future__ import annotations

import errno
import io
import sys
from typing import Annotated

import typer

app = typer.Typer(
    name="her2",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="HER2-positive breast cancer made executable: evidence, mechanisms, virtual trials. "
    "Research and education only; not medical advice.",
)


def _version(show: bool) -> None:
    if show:
        from her2 import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Common options."""


def _register() -> None:
    """Commands, each in its own module under `cli/commands`."""
    from her2.cli.commands.calibrate import calibrate
    from her2.cli.commands.cell import cell
    from her2.cli.commands.claims import claims
    from her2.cli.commands.credibility import credibility
    from her2.cli.commands.design import design
    from her2.cli.commands.evidence import evidence
    from her2.cli.commands.export import export
    from her2.cli.commands.forecast import forecast
    from her2.cli.commands.lint import lint
    from her2.cli.commands.network import network
    from her2.cli.commands.options import options
    from her2.cli.commands.patient import patient
    from her2.cli.commands.sensitivity import sensitivity
    from her2.cli.commands.sequence import sequence
    from her2.cli.commands.serve import serve
    from her2.cli.commands.trace import trace
    from her2.cli.commands.trial import trial
    from her2.cli.commands.validate import validate
    from her2.cli.commands.verify import verify

    app.command(name="trial", help="Simulate a trial and print it beside the published result.")(trial)
    app.command(name="validate", help="Every trial predicted beside published, with scores; misses first.")(
        validate
    )
    app.command(
        name="forecast", help="Freeze predictions of trials before their results; verify with --check."
    )(forecast)
    app.command(
        name="cell", help="One cell under drugs, ligands and switches: signals, growth, dose-response."
    )(cell)
    app.command(
        name="claims", help="Run the record's executable claims on the model: reproduced or contradicted."
    )(claims)
    app.command(name="calibrate", help="Fit the free parameters to the reviews' figures marked for fitting.")(
        calibrate
    )
    app.command(
        name="sensitivity",
        help="Which parameters matter for which drug, and what observations could identify.",
    )(sensitivity)
    app.command(
        name="credibility", help="How far the model may be believed, for what: risk, evidence, assumptions."
    )(credibility)
    app.command(name="network", help="The network of a cell under drugs: a table, or a picture with --svg.")(
        network
    )
    app.command(name="design", help="Power, probability of success, size, looks and enrichment of a trial.")(
        design
    )
    app.command(name="options", help="What the reviews' rules give for one patient, and why.")(options)
    app.command(
        name="patient", help="One patient: escape routes, options with predicted courses, what is missing."
    )(patient)
    app.command(name="sequence", help="Sequences of lines for one patient, compared in the same twins.")(
        sequence
    )
    app.command(name="serve", help="The web page: the pathway map, trials, patients, evidence.")(serve)
    app.add_typer(evidence, name="evidence")
    app.add_typer(export, name="export")
    app.command(name="lint", help="Check the record, and your own files.")(lint)
    app.command(name="verify", help="Is a stored run intact, and what has changed here since it was made?")(
        verify
    )
    app.command(name="trace", help="What an entry or number rests on, and what rests on it.")(trace)


_register()


def main() -> None:
    """Entry point: errors a user can put right become one line and exit code 2."""
    from her2.errors import Her2Error

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a terminal of another alphabet, or a file name that is no UTF-8: shown as escapes, never a traceback
            stream.reconfigure(errors="backslashreplace")
    try:
        app(standalone_mode=True)
    except Her2Error as error:
        print(f"her2: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except BrokenPipeError:
        raise SystemExit(0) from None
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.ELOOP):
            raise
        print(f"her2: {str(error.filename)[:200]}: {error.strerror}; give another name", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("her2: stopped", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
