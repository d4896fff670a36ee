"""Malformed prices and encodings of an archive."""

from pathlib import Path

from sneaker_assets.lake import Lake
from sneaker_assets.market.currency import bundled_rates
from sneaker_assets.market.observations import price_history
from sneaker_assets.sources.archive import ArchiveSource
from sneaker_assets.tables import PriceObservations

HEADER = "sale_price,image_name\n"


def test_text_negative_and_infinite_prices_are_missing(tmp_path: Path, lake: Lake) -> None:
    amounts = ["120", "ask in shop", "-5", "inf", "nan", "", "0", "1000000"]
    rows = "".join(f"{amount},stockx_{i}.jpg\n" for i, amount in enumerate(amounts))
    (tmp_path / "listings.csv").write_text(HEADER + rows)
    history = price_history(ArchiveSource(lake, tmp_path).observe("stockx"), bundled_rates())
    PriceObservations.validate(history)
    assert history["price"].dropna().tolist() == [120.0, 1_000_000.0]
    assert len(history) == len(amounts)


def test_csv_in_latin_1_is_read(tmp_path: Path, lake: Lake) -> None:
    (tmp_path / "listings.csv").write_bytes((HEADER + "120,stockx_Chloé.jpg\n").encode("latin-1"))
    assert ArchiveSource(lake, tmp_path).observe("stockx")["product_id"].tolist() == ["stockx_Chloé.jpg"]
