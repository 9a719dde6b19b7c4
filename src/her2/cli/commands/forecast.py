"""`her2 forecast`: freeze predictions of trials before their results are known, and verify frozen files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from her2.cli.cluster_options import Dask, spread_over
from her2.cli.ensemble_options import Jobs, Members, Patients, Seed, TrialsSimulated, threads


def forecast(
    context: typer.Context,
    files: Annotated[
        list[str], typer.Argument(help="Trial files (or built-in trials); with --check, frozen files.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for TRIAL.forecast.json and TRIAL.forecast.md of each trial.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Verify frozen files instead of making them.")
    ] = False,
    members: Members = 32,
    patients: Patients = 256,
    trials_simulated: TrialsSimulated = 1000,
    seed: Seed = 1,
    jobs: Jobs = 0,
    dask: Dask = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
) -> None:
    """Predict trials and freeze what was predicted; a file that fails costs an error line, not the others."""
    import json as json_module
    import sys
    from typing import Any

    from her2.errors import Her2Error
    from her2.validation.forecast import check_forecast, forecast_text, make_forecast, write_forecast

    spread_over(context, dask)
    done: list[dict[str, Any]] = []
    failed = 0
    for name in files:
        try:
            if check:
                content = check_forecast(Path(name))
                line = (
                    f"{name}: intact; {content['trial']}, frozen {content['date']} with her2 {content['version']}, "
                    f"digest {content['digest']}"
                )
                done.append({"file": name, "intact": True, "trial": content["trial"], "date": content["date"],
                             "version": content["version"], "digest": content["digest"]})  # fmt: skip
            else:
                content = make_forecast(
                    name, members=members, patients=patients, trials=trials_simulated, seed=seed,
                    jobs=threads(jobs),
                )  # fmt: skip
                line = forecast_text(content)
                if out is not None:
                    path, state = write_forecast(content, out)
                    line = f"{name}: {state}: {path}"
                done.append(content)
            if not json:
                typer.echo(line)
                sys.stdout.flush()
        except Exception as error:
            # a batch runs unattended: one bad file must not cost the others
            failed += 1
            text = str(error) if isinstance(error, Her2Error) else f"{type(error).__name__}: {error}"
            shown = text if text.startswith(name) else f"{name}: {text}"
            typer.echo(f"her2: {shown}", err=True)
    if json:
        typer.echo(json_module.dumps(done, indent=1, ensure_ascii=False, allow_nan=False))
    if failed:
        typer.echo(f"her2: {failed} of {len(files)} files failed", err=True)
        raise typer.Exit(2)
