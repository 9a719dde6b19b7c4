"""`her2 forecast`: freeze predictions of trials before their results are known, and verify frozen files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def forecast(
    files: Annotated[
        list[str], typer.Argument(help="Trial files (or built-in trials); with --check, frozen files.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for TRIAL.forecast.json and TRIAL.forecast.md of each trial.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Verify frozen files instead of making them.")
    ] = False,
    members: Annotated[
        int,
        typer.Option(
            help="Members of the posterior that carry the uncertainty of parameters.", min=2, max=5000
        ),
    ] = 24,
    patients: Annotated[
        int, typer.Option(help="Virtual patients per member, each on every arm.", min=50, max=1_000_000)
    ] = 400,
    trials_simulated: Annotated[
        int, typer.Option(help="Trials of the real size drawn for the intervals.", min=1000, max=100_000)
    ] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.", min=0, max=2**62)] = 1,
    jobs: Annotated[
        int, typer.Option(help="Threads; 0 for one per core. The digits do not depend on it.", min=0, max=512)
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
) -> None:
    """Predict trials and freeze what was predicted; a file that fails costs an error line, not the others."""
    import json as json_module
    import os
    import sys
    from typing import Any

    from her2.errors import Her2Error
    from her2.validation.forecast import check_forecast, forecast_text, make_forecast, write_forecast

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
                    jobs=jobs or os.cpu_count() or 1,
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
