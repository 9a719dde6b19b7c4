"""Table of what the prediction of one patient assumes."""

from __future__ import annotations

from record_tables.text import Generated, cite, code, markdown, number, plain


class PrognosisSettings(Generated):
    """`prognosis-settings`: the assumptions in her2/prognosis/settings.yaml."""

    def generate(self) -> tuple[str, list[str]]:
        from her2.prognosis.settings import load_settings

        rows = [
            (code(s.id), plain(s.label), number(s.value), code(s.unit), s.quality, cite(s.source, s.locator))
            for s in load_settings().values()
        ]
        return markdown(("setting", "what", "value", "unit", "quality", "source"), rows), []
