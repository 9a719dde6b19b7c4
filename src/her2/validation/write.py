"""Write the page of a validation and its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from her2.errors import OutputError

if TYPE_CHECKING:
    from her2.validation.run import Validation


def write_pictures(validation: Validation, folder: Path) -> dict[str, Path]:
    """Every picture as SVG and PNG; returns the SVG files by name, in the order of the page.

    Raises
    ------
    her2.errors.OutputError
        If the folder cannot be made or written.
    """
    from her2.trials.pictures.style import save_figure
    from her2.validation.pictures import draw_all

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror}); give another folder") from error
    files = {}
    for name, figure in draw_all(validation).items():
        save_figure(figure, folder / name)
        files[name] = (folder / name).with_suffix(".svg")
    return files


def write_page(text: str, path: Path) -> None:
    """Write a page whole or not at all.

    Raises
    ------
    her2.errors.OutputError
        If it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
