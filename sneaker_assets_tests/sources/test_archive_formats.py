"""Formats, compressions, encodings and delimiters of tables, and damaged files."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sneaker_assets.sources.archive import ArchiveError, ArchiveMapping
from sneaker_assets.sources.archive.files import TableFile, find_tables, read_bytes
from sneaker_assets.sources.archive.tables import Table, read_table
from sneaker_assets.sources.archive.text import decode

ROWS = [["price", "model"], ["$1,097 ", "Air Größe"], ["€95", 'the "12"; a|b\tc'], ["", "two\nlines"]]


def zipped(data: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("__MACOSX/._t.csv", b"junk")
        file.writestr("t.csv", data)
    return packed.getvalue()


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
    ".zip": zipped,
}


def csv_text(rows: list[list[str]], delimiter: str = ",", newline: str = "\n") -> str:
    """A table written without Python's csv module: every cell in quotation marks."""
    quoted = (delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    return "".join(row + newline for row in quoted)


def read(path: Path, mapping: ArchiveMapping | None = None) -> Table:
    (file,) = find_tables(path)
    return read_table(file, mapping or ArchiveMapping())


def cells(table: Table) -> list[list[str]]:
    return [list(table.rows.columns), *table.rows.to_numpy().tolist()]


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_compressed_table_reads_like_the_plain_one(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.csv{suffix}"
    path.write_bytes(COMPRESSORS[suffix](csv_text(ROWS).encode()))
    table = read(path)
    assert cells(table) == ROWS
    assert (table.file.compression or "") == suffix[1:]


@pytest.mark.parametrize("suffix", [suffix for suffix in COMPRESSORS if suffix])
def test_truncated_compressed_table_is_one_line_with_the_place(tmp_path: Path, suffix: str) -> None:
    rows = [["price", "model"], *([str(i), f"shoe {i * 7919 % 10007}"] for i in range(20_000))]
    data = COMPRESSORS[suffix](csv_text(rows).encode())
    path = tmp_path / f"t.csv{suffix}"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ArchiveError, match=r"t\.csv\S* is truncated or damaged") as raised:
        read(path)
    assert "\n" not in str(raised.value)
    if suffix in (".gz", ".bz2", ".xz"):
        assert "decompressed bytes, in line " in str(raised.value)


@pytest.mark.parametrize("suffix", [suffix for suffix in COMPRESSORS if suffix])
def test_file_that_is_not_compressed_as_its_name_says_is_one_line(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"t.csv{suffix}").write_bytes(b"price,model\n1,a\n")
    with pytest.raises(ArchiveError, match="is truncated or damaged"):
        read(tmp_path / f"t.csv{suffix}")


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zip", ".zst"])
def test_decompression_bomb_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.csv{suffix}"
    path.write_bytes(COMPRESSORS[suffix](b"price,model\n" + bytes(30_000_000)))
    with pytest.raises(ArchiveError, match="decompress to more than 20,000,000, as no table of listings does"):
        read(path)


def test_encrypted_zip_is_one_line(tmp_path: Path) -> None:
    data = bytearray(zipped(csv_text(ROWS).encode()))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flag of encryption in both headers
        place = data.rfind(signature)
        data[place + offset] |= 1
    (tmp_path / "t.zip").write_bytes(data)
    with pytest.raises(ArchiveError, match=r"truncated or damaged.*encrypted"):
        read(tmp_path / "t.zip")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_delimiter_is_detected(tmp_path: Path, delimiter: str, newline: str) -> None:
    text = csv_text(ROWS, delimiter, newline)
    (tmp_path / "t.csv").write_bytes(text.encode())
    table = read(tmp_path / "t.csv")
    assert (cells(table), table.delimiter) == (ROWS, delimiter)


def test_decimal_commas_do_not_hide_semicolons(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("Modell;Preis\nAir, rot;1.097,00\nEra;95,50\n")
    assert read(tmp_path / "t.csv").rows["Preis"].tolist() == ["1.097,00", "95,50"]


def test_delimiter_line_of_spreadsheets_is_followed(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("sep=|\nprice|model, colour\n1|a\nbroken\n2|b\n3|c\n")
    table = read(tmp_path / "t.csv")
    assert list(table.rows.columns) == ["price", "model, colour"]
    assert table.broken == [4]


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        ("Modell;Preis\nAir Größe;1.097,00 €\nChloé;12\n", "cp1252", "cp1252"),
        ("Modèle;Prix\nÉté;10\n", "latin-1", "cp1252"),
        ("Modell;Preis\nGröße;10\n", "utf-8", "utf-8"),
        ("Modell;Preis\nGröße;10\n", "utf-8-sig", "utf-8-sig"),
        ("Modell;Preis\nGröße;10\n", "utf-16", "utf-16"),
        ("Цена;Бренд\n12000;Найк\n", "utf-16-be", "utf-16-be"),
        ("Modell;Preis\nGröße;10\n", "utf-16-le", "utf-16-le"),
        ("Цена;Бренд\n12000;Найк\n11;Адидас\n", "cp1251", "cp1251"),
        ("モデル,価格\nスニーカー,12000\n", "shift_jis", "cp932"),
        ("Model;Cena\nButy żółte;100\nTrampki łódź;12\nKoszykówka męska;1\n", "cp1250", "cp1250"),
    ],
)
def test_encoding_is_detected(text: str, encoding: str, found: str) -> None:
    assert decode(text.encode(encoding), "t.csv") == (text, found)


def test_stated_encoding_is_used_and_checked() -> None:
    assert decode("é".encode("mac_roman"), "t.csv", "mac_roman")[0] == "é"
    with pytest.raises(ArchiveError, match="unknown encoding 'klingon'"):
        decode(b"a", "t.csv", "klingon")
    with pytest.raises(ArchiveError, match="is not text in ascii"):
        decode("é".encode(), "t.csv", "ascii")


def test_rows_with_bytes_that_utf_8_does_not_have_are_broken(tmp_path: Path) -> None:
    lines = [f"{i},Größe {i}".encode() for i in range(100)]
    lines[7] = b"7,Gr\xff\xfee"
    (tmp_path / "t.csv").write_bytes(b"price,model\n" + b"\n".join(lines))
    table = read(tmp_path / "t.csv")
    assert (len(table.rows), table.broken, table.encoding) == (99, [9], "utf-8")


def test_one_per_cent_of_broken_rows_is_skipped_and_counted(tmp_path: Path) -> None:
    lines = [f"{i},model {i}" for i in range(1000)]
    for i, broken in enumerate(["1", "1,2,3", '1,"open', '1,"a"b,', ",,,", '"1","2","3"', "x", "a;b", "1|2", "-"]):
        lines[i * 100 + 50] = broken
    (tmp_path / "t.csv").write_text("price,model\n" + "\n".join(lines) + "\n")
    table = read(tmp_path / "t.csv")
    assert len(table.rows) == 990
    assert table.broken == [i * 100 + 52 for i in range(10)]
    assert table.rows.index[0] == 2


def test_open_quotation_marks_in_many_rows_are_read_in_linear_time(tmp_path: Path) -> None:
    lines = [f'{i},"model {i}' if i % 3 == 0 else f"{i},model" for i in range(3000)]
    (tmp_path / "t.csv").write_text("price,model\n" + "\n".join(lines))
    table = read(tmp_path / "t.csv")
    assert len(table.rows) + len(table.broken) <= 3000
    assert len(table.rows) >= 1000


def test_repeated_and_missing_headers_get_names(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("price,,price,\n1,2,3,4\n")
    assert list(read(tmp_path / "t.csv").rows.columns) == ["price", "column 2", "price (2)", "column 4"]


RECORDS = [{"price": 1097.5, "market": {"ask": 100}, "images": ["a.jpg", "b.jpg"], "sold": None, "new": True}]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.jsonl", json.dumps(RECORDS[0]) + "\n"),
        ("t.ndjson", "\n" + json.dumps(RECORDS[0])),
        ("t.json", json.dumps(RECORDS)),
        ("t.json", json.dumps({"count": 1, "data": {"products": RECORDS, "pages": [{}]}})),
        ("t.json", json.dumps(RECORDS[0], indent=1)),
        ("t.json", json.dumps(RECORDS[0]) + "\n\nbroken"),
    ],
)
def test_json_objects_are_rows_with_paths_as_columns(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    table = read(tmp_path / name)
    assert table.rows.iloc[0].to_dict() == {
        "price": "1097.5",
        "market.ask": "100",
        "images": "a.jpg",
        "sold": "",
        "new": "True",
    }
    assert "price" in table.typed
    assert "images" not in table.typed


def test_broken_json_lines_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n{broken\n[1]\n{"a": 2, "b": 3}\n{"a": 4}\n')
    table = read(tmp_path / "t.jsonl")
    assert table.broken == [2, 3]
    assert table.rows["b"].tolist() == ["", "3", ""]


def test_parquet_keeps_numbers_and_dates(tmp_path: Path) -> None:
    frame = pd.DataFrame({"price": [1.125, None], "day": [pd.Timestamp("2024-01-02"), pd.NaT], "name": ["a", "b"]})
    frame.to_parquet(tmp_path / "t.parquet")
    table = read(tmp_path / "t.parquet")
    assert cells(table)[1:] == [["1.125", "2024-01-02T00:00:00", "a"], ["", "", "b"]]
    assert table.typed == {"price", "day"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b" \n\n", "is empty"),
        ("t.csv", b"price,model\n", "has a header and no rows"),
        ("t.csv", b"PK\x03\x04" + b"x" * 50, "is a spreadsheet"),
        ("t.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(9)) * 9 + b"x", "is binary data"),
        ("t.csv", b"a,b\n1\n2\n3,4\n5\n", r"3 of 4 rows do not have the header's 2 cells: .*lines 2, 3, 5"),
        ("t.json", b"{broken", "is not valid JSON"),
        ("t.json", b"[1, 2]", "has no list of objects"),
        ("t.json", b"[" * 100_000, "nested too deeply"),
        ("t.jsonl", b"x\ny\n", "2 of 2 rows do not have the form of a JSON object"),
        ("t.parquet", b"PAR1 but not really", "is not a readable Parquet file"),
    ],
)
def test_unusable_table_is_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ArchiveError, match=message) as raised:
        read(tmp_path / name)
    assert "\n" not in str(raised.value)
    assert name in str(raised.value)


def test_tables_are_found_below_the_folder_but_not_among_images_and_hidden_files(tmp_path: Path) -> None:
    for name in ("a.csv", "b/c.tsv.gz", "images/d.csv", ".git/e.csv", "b/.f.csv", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "z.zip").write_bytes(zipped(b"x"))
    assert [file.name for file in find_tables(tmp_path)] == ["a.csv", "z.zip/t.csv", "b/c.tsv.gz"]
    assert [file.name for file in find_tables(tmp_path, ["b/*"])] == ["b/c.tsv.gz"]
    assert [file.name for file in find_tables(tmp_path, images_folder="b")] == ["a.csv", "z.zip/t.csv", "images/d.csv"]


def test_unreadable_plain_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"gone\.csv cannot be read: "):
        read_bytes(TableFile(tmp_path / "gone.csv", "gone.csv"))


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\ufeff"), max_size=12).map(
    lambda text: text.lstrip(" ")
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.lists(st.lists(TEXT, min_size=2, max_size=2), min_size=1, max_size=6),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    st.sampled_from(sorted(COMPRESSORS)),
)
def test_any_table_reads_back_equal_in_any_form(
    tmp_path: Path, rows: list[list[str]], delimiter: str, encoding: str, suffix: str
) -> None:
    rows = [["price", "model"], *rows]
    path = tmp_path / f"t.csv{suffix}"
    path.write_bytes(COMPRESSORS[suffix](csv_text(rows, delimiter).encode(encoding)))
    assert cells(read(path, ArchiveMapping(delimiter=delimiter))) == rows


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.fixed_dictionaries({"price": TEXT, "model": TEXT}), min_size=1, max_size=6), st.booleans())
def test_any_records_read_back_equal_from_json_and_parquet(
    tmp_path: Path, records: list[dict[str, str]], lines: bool
) -> None:
    text = "\n".join(map(json.dumps, records)) if lines else json.dumps(records)
    (tmp_path / "t.json").write_text(text)
    pd.DataFrame(records).to_parquet(tmp_path / "t.parquet")
    for name in ("t.json", "t.parquet"):
        assert read(tmp_path / name).rows.to_dict("records") == records


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(st.binary(max_size=200), st.sampled_from(["csv", "jsonl", "json", "parquet", "csv.gz", "zip", "csv.zst"]))
def test_any_bytes_give_a_table_or_one_line(tmp_path: Path, data: bytes, suffix: str) -> None:
    (tmp_path / f"t.{suffix}").write_bytes(data)
    message = ""
    try:
        files = find_tables(tmp_path / f"t.{suffix}")
        tables = [read_table(file, ArchiveMapping()) for file in files]
    except ArchiveError as error:
        tables, message = [], str(error)
    assert all(len(table.rows) for table in tables)
    assert "\n" not in message
