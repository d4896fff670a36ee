import subprocess
import sys

import pytest

from sneaker_assets import figures


def test_importing_the_package_does_not_import_matplotlib_or_pillow() -> None:
    program = (
        "import sys; from sneaker_assets import figures; assert not {'matplotlib', 'PIL'} & set(sys.modules)\n"
        "figures.to_png; assert 'matplotlib' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("name", figures.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(figures, name).__name__ == name


def test_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'sneaker_assets.figures' has no attribute 'nothing'"):
        figures.nothing  # type: ignore[attr-defined]  # noqa: B018
