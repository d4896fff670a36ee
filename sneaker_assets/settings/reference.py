"""The tables of settings in the README, generated from the models.

python -m sneaker_assets.settings.reference README.md
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sneaker_assets.market.fees import Fees
from sneaker_assets.settings.automation import ALL_SITES, AutomationSettings
from sneaker_assets.settings.environment import Settings, variable

_AUTOMATION = AutomationSettings.model_fields.keys()

TABLES: Mapping[str, tuple[str, ...]] = {
    "settings": tuple(name for name in Settings.model_fields if name not in _AUTOMATION),
    "automation settings": tuple(_AUTOMATION),
}
"""Name of a table's markers in the README to the fields of ``Settings`` that it lists."""


def updated(text: str) -> str:
    """A document with its tables replaced by current ones.

    Args:
        text: Markdown in which each table of ``TABLES`` is between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``.

    Raises:
        ValueError: The markers of a table are missing.
    """
    for name, fields in TABLES.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        block = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if not block.search(text):
            raise ValueError(f"the document has no {begin} and {end}: put them around the place of the table")
        table = "\n".join(_table(fields))
        text = block.sub(lambda _, begin=begin, table=table, end=end: f"{begin}\n{table}\n{end}", text)  # type: ignore[misc]
    return text


def _table(fields: tuple[str, ...]) -> Iterator[str]:
    yield "| variable | default | description |"
    yield "|---|---|---|"
    for name in fields:
        field = Settings.model_fields[name]
        default = _text(field.get_default())
        yield f"| `{variable(name)}` | {f'`{default}`' if default else ''} | {field.description} |"


def _text(value: Any) -> str:
    """A default as it is written in the environment."""
    if value is None:
        return ""
    if isinstance(value, Fees):
        return ",".join(map(_text, (value.commission, value.payment, value.shipping)))
    if isinstance(value, Mapping):
        return "; ".join(_text(entry) if key == ALL_SITES else f"{key}={_text(entry)}" for key, entry in value.items())
    if isinstance(value, tuple):
        return ",".join(map(_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(updated(document.read_text(encoding="utf-8")), encoding="utf-8")
