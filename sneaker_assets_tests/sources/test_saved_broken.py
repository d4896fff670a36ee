"""Saved files that are damaged, cut off, too large or of an unknown kind: one line each, and the rest is read."""

import gzip
import io
import json
import logging
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator

from sneaker_assets.lake import Lake
from sneaker_assets.sites.page_limits import MAX_BYTES
from sneaker_assets.sources.base import SourceError
from sneaker_assets.sources.saved import har
from sneaker_assets.sources.saved.compression import decoded, open_decompressed
from sneaker_assets.sources.saved.records import BrokenFileError, read_at_most
from sneaker_assets.sources.saved.source import SavedSource
from sneaker_assets_tests.sources.saved_files import (
    LOGIN,
    Saved,
    har_entry,
    page,
    product,
    write_entries,
    write_har,
    write_mhtml,
    write_warc,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "saved"
    folder.mkdir()
    return folder


@pytest.fixture
def source(lake: Lake, folder: Path) -> SavedSource:
    """Source whose folder has one intact page, of product 0, in the file that is read last."""
    write_har(folder / "z.har", [product(0)])
    return SavedSource(lake, folder)


def read(source: SavedSource, caplog: pytest.LogCaptureFixture) -> tuple[list[str], list[str]]:
    """Products read, and the lines about broken files."""
    with caplog.at_level(logging.WARNING):
        seen = source.observe("stockx")
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("sneaker_assets.sources.saved")]
    assert all("\n" not in line and len(line) < 400 for line in lines)
    lines = [line for line in lines if not line.startswith("page in ")]
    assert source.report("stockx").broken == tuple(lines)
    assert source.report("stockx").failed == len(lines)
    return list(seen["product_id"]), lines


def test_a_warc_file_that_is_cut_off_keeps_the_records_before(
    folder: Path, source: SavedSource, caplog: pytest.LogCaptureFixture
) -> None:
    file = write_warc(folder / "cut.warc", [product(1), product(2), product(3)])
    file.write_bytes(file.read_bytes()[:-100])
    products, lines = read(source, caplog)
    assert products == ["id-1", "id-2", "id-0"]
    assert lines == ["cut.warc: is cut off in record 4, or its length is wrong: what precedes it was read"]


def test_a_compressed_warc_file_that_is_cut_off_keeps_the_records_before(
    folder: Path, source: SavedSource, caplog: pytest.LogCaptureFixture
) -> None:
    file = write_warc(folder / "cut.warc.gz", [product(1), product(2), product(3)])
    file.write_bytes(file.read_bytes()[:-100])
    products, lines = read(source, caplog)
    assert products == ["id-1", "id-2", "id-0"]
    assert len(lines) == 1
    assert lines[0].startswith("cut.warc.gz: cannot be read after record")
    assert "the gzip file is cut off" in lines[0]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1), suffix=st.sampled_from(["warc", "warc.gz"]))
def test_a_warc_file_cut_anywhere_gives_a_prefix_of_its_products(
    share: float, suffix: str, lake: Lake, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    file = write_warc(folder / f"cut.{suffix}", [product(number) for number in range(1, 5)])
    file.write_bytes(file.read_bytes()[: round(share * file.stat().st_size)])
    source = SavedSource(lake, folder)
    try:
        products = list(source.observe("stockx")["product_id"])
    except SourceError:
        products = []
    assert products == [f"id-{number}" for number in range(1, len(products) + 1)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from([".warc", ".warc.gz", ".har", ".mhtml"]),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_a_damaged_file_never_stops_the_others(
    suffix: str, changes: list[tuple[float, int]], lake: Lake, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    file, saved = folder / f"a{suffix}", [product(1), product(2)]
    if suffix == ".mhtml":
        write_mhtml(file, *saved)
    else:
        (write_har if suffix == ".har" else write_warc)(file, saved)
    content = bytearray(file.read_bytes())
    for place, value in changes:
        content[int(place * len(content))] = value
    file.write_bytes(content)
    write_har(folder / "z.har", [product(0)])
    assert "id-0" in set(SavedSource(lake, folder).observe("stockx")["product_id"])


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.sampled_from(
        [b"", b"WARC/1.0\r\n", b'{"log":{"entries":[', b"MIME-Version: 1.0\n", b"<html>", b"\x1f\x8b"]
    ),
    rest=st.binary(max_size=300),
)
def test_arbitrary_bytes_never_stop_the_others(
    start: bytes, rest: bytes, lake: Lake, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    (folder / "a").write_bytes(start + rest)
    write_har(folder / "z.har", [product(0)])
    assert set(SavedSource(lake, folder).observe("stockx")["product_id"]) == {"id-0"}


def test_a_har_file_that_is_cut_off_keeps_the_entries_before(
    folder: Path, source: SavedSource, caplog: pytest.LogCaptureFixture
) -> None:
    file = write_har(folder / "cut.har", [product(1), product(2), product(3)])
    file.write_bytes(file.read_bytes()[:-300])
    products, lines = read(source, caplog)
    assert products == ["id-1", "id-2", "id-0"]
    assert lines == ["cut.har: cannot be read after entry 2: the file is cut off"]


def test_a_har_file_without_bodies_says_how_to_export_it(
    folder: Path, source: SavedSource, caplog: pytest.LogCaptureFixture
) -> None:
    entries = [har_entry(product(number)) for number in range(3)] + [har_entry(product(9, status=301, body=b""))]
    for entry in entries:
        del entry["response"]["content"]["text"]
    (folder / "bare.har").write_text(json.dumps({"log": {"entries": entries}}))
    products, lines = read(source, caplog)
    assert products == ["id-0"]
    assert lines == [
        "bare.har: has 4 entries and no response body: export it again with content, such as by 'Export HAR' of Chrome"
    ]
    with pytest.raises(SourceError, match="no response body: export it again with content"):
        SavedSource(source.lake, folder / "bare.har").observe("stockx")


def test_har_entries_without_a_body_are_counted(folder: Path, source: SavedSource) -> None:
    without = har_entry(product(1))
    del without["response"]["content"]["text"]
    (folder / "some.har").write_text(json.dumps({"log": {"entries": [without, har_entry(product(2))]}}))
    source.observe("stockx")
    assert source.report("stockx").skipped == {har.WITHOUT_BODY: 1}


def test_har_bodies_that_are_not_base64_or_too_large_are_counted(folder: Path, source: SavedSource) -> None:
    bad, large = har_entry(product(1)), har_entry(product(2, body=b"x" * (2 * MAX_BYTES + 1)))
    bad["response"]["content"] |= {"text": "abc", "encoding": "base64"}
    write_entries(folder / "a.har", [bad, large])
    source.observe("stockx")
    assert source.report("stockx").skipped == {
        "responses that are not base64": 1,
        f"responses of more than {MAX_BYTES:,} bytes": 1,
    }


def test_a_har_entry_that_is_too_large_is_refused(
    folder: Path, source: SavedSource, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(har, "MAX_ENTRY_BYTES", 200_000)
    write_har(folder / "large.har", [product(1), Saved("https://stockx.com/video", b"x" * 4_000_000), product(2)])
    products, lines = read(source, caplog)
    assert products == ["id-1", "id-0"]
    assert lines == ["large.har: cannot be read after entry 1: an entry of more than 200,000 bytes is too large"]


@pytest.mark.parametrize("name", ["bomb.html.gz", "bomb.json.gz", "bomb.har.gz", "bomb.mhtml.gz"])
def test_a_decompression_bomb_is_refused(
    name: str, folder: Path, source: SavedSource, caplog: pytest.LogCaptureFixture
) -> None:
    starts = {"html": b"<html>", "json": b"[", "har": b'{"log": "', "mhtml": b"MIME-Version: 1.0\n"}
    write_bomb(folder / name, starts[name.split(".")[1]])
    products, lines = read(source, caplog)
    assert products == ["id-0"]
    assert len(lines) == 1
    assert "larger than" in lines[0] or "too large" in lines[0] or "more than 100,000,000 bytes" in lines[0]


def test_a_warc_file_that_is_a_decompression_bomb_keeps_the_records_before(
    folder: Path, source: SavedSource, caplog: pytest.LogCaptureFixture
) -> None:
    records = write_warc(folder / "bomb.warc", [product(1)], compressed=False)
    header = (
        b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: https://stockx.com/x\r\nContent-Length: 300000000\r\n"
    )
    write_bomb(folder / "bomb.warc.gz", records.read_bytes() + header + b"\r\nHTTP/1.1 200 OK\r\n\r\n")
    records.unlink()
    write_bomb(folder / "header.warc.gz", header)
    products, lines = read(source, caplog)
    assert products == ["id-1", "id-0"]
    assert lines == [
        (
            "bomb.warc.gz: cannot be read after record 3: decompresses to more than 100,000,000 bytes, over 200 times "
            "its size: no page does"
        ),
        "header.warc.gz: cannot be read after record 0: its header is too large",
    ]


def write_bomb(file: Path, start: bytes, n_bytes: int = 300_000_000) -> None:
    """A gzip file of some bytes and many zeros."""
    compressor = zlib.compressobj(9, wbits=31)
    block = b"0" * 1_000_000
    with file.open("wb") as out:
        out.write(compressor.compress(start))
        for _ in range(n_bytes // len(block)):
            out.write(compressor.compress(block))
        out.write(compressor.flush())


def test_bodies_that_are_too_large_are_counted(folder: Path, source: SavedSource) -> None:
    large = b"<html>" + b" " * MAX_BYTES
    write_warc(folder / "a.warc.gz", [product(1, body=large), product(2)])
    write_har(folder / "b.har", [product(3, body=large)])
    zipped = gzip.compress(large)
    headers = {"Content-Encoding": "gzip"}
    write_warc(folder / "c.warc", [product(4, body=zipped, headers=headers)])
    assert list(source.observe("stockx")["product_id"]) == ["id-2", "id-0"]
    assert source.report("stockx").skipped == {f"responses of more than {MAX_BYTES:,} bytes": 3}


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw deflate", "identity", "chunked"])
def test_encodings_of_warc_bodies_are_undone(encoding: str, folder: Path, source: SavedSource) -> None:
    body = page(1)
    encoded = {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "raw deflate": zlib.compress(body, wbits=-15),
        "identity": body,
        "chunked": b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (50, body[:50], len(body) - 50, body[50:]),
    }[encoding]
    header = "Transfer-Encoding" if encoding == "chunked" else "Content-Encoding"
    write_warc(folder / "a.warc", [product(1, body=encoded, headers={header: encoding.rsplit(maxsplit=1)[-1]})])
    assert list(source.observe("stockx")["product_id"]) == ["id-1", "id-0"]


def test_unsupported_and_damaged_encodings_are_counted(folder: Path, source: SavedSource) -> None:
    damaged = gzip.compress(page(2))[:-20]
    saved = [
        product(1, body=b"\x8b\x02", headers={"Content-Encoding": "br"}),
        product(2, body=damaged, headers={"Content-Encoding": "gzip"}),
    ]
    write_warc(folder / "a.warc", saved)
    source.observe("stockx")
    assert source.report("stockx").skipped == {
        "responses compressed with br, which is not supported": 1,
        "responses that are cut off or damaged": 1,
    }


@given(body=st.binary(max_size=200), encoding=st.sampled_from(["gzip", "deflate", "br", "", "identity"]))
def test_a_decoded_body_is_never_longer_than_the_limit(body: bytes, encoding: str) -> None:
    try:
        found = decoded(body, encoding, 50)
    except BrokenFileError:
        return
    assert found is None if encoding == "br" else len(found or b"") <= 50


def test_a_warc_response_without_http_headers_is_counted(folder: Path, source: SavedSource) -> None:
    header = b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: https://stockx.com/x\r\nContent-Length: 0\r\n\r\n"
    (folder / "a.warc").write_bytes(header + b"\r\n\r\n")
    source.observe("stockx")
    assert source.report("stockx").skipped == {"responses that are cut off or damaged": 1}


def test_an_mhtml_file_that_is_nested_too_deeply_is_refused(
    folder: Path, source: SavedSource, caplog: pytest.LogCaptureFixture
) -> None:
    part = "Content-Type: multipart/mixed; boundary=b{0}\n\n--b{0}\n"
    (folder / "deep.mhtml").write_text("MIME-Version: 1.0\n" + "".join(map(part.format, range(3000))))
    products, lines = read(source, caplog)
    assert products == ["id-0"]
    assert lines == ["deep.mhtml: its parts are nested too deeply"]


def test_revisit_records_and_other_types_are_skipped(folder: Path, source: SavedSource) -> None:
    file = write_warc(folder / "a.warc", [product(1)])
    content = file.read_bytes()
    revisit = content[content.index(b"WARC/1.0", 10) :].replace(b"WARC-Type: response", b"WARC-Type: revisit")
    request = revisit.replace(b"WARC-Type: revisit", b"WARC-Type: request").replace(b"HTTP/1.1 200", b"GET /login")
    resource = revisit.replace(b"WARC-Type: revisit", b"WARC-Type: resource")
    file.write_bytes(content + revisit + request + resource)
    with file.open("rb") as stream:
        assert [record.rec_type for record in ArchiveIterator(stream)][1:3] == ["response", "revisit"]
    assert list(source.observe("stockx")["product_id"]) == ["id-1", "id-0"]
    assert source.report("stockx").skipped == {"WARC revisit records": 1}


def test_a_record_whose_length_is_wrong_ends_the_file_in_one_line(
    folder: Path, source: SavedSource, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    file = write_warc(folder / "wrong.warc", [product(1), product(2)])
    first, second = file.read_bytes().rsplit(b"WARC/1.0", 1)
    file.write_bytes(first + b"WARC/1.0" + second.replace(b"\r\nContent-Length: ", b"\r\nContent-Length: 0", 1)[:-9])
    products, lines = read(source, caplog)
    assert products == ["id-1", "id-0"]
    assert len(lines) == 1
    assert capfd.readouterr().err == ""


def test_an_mhtml_file_that_is_cut_off_keeps_the_parts_before(
    folder: Path, source: SavedSource, caplog: pytest.LogCaptureFixture
) -> None:
    file = write_mhtml(
        folder / "cut.mhtml", product(1), Saved("https://stockx.com/a.css", b"a{}", "text/css"), product(2)
    )
    file.write_bytes(file.read_bytes()[:-200])
    products, lines = read(source, caplog)
    assert products == ["id-1", "id-0"]
    assert lines == ["cut.mhtml: is cut off in part 3: save the page again"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\x28\xb5\x2f\xfd....", "zstd -d"),
        (b"PK\x03\x04....", "unpack it"),
        (b"BZh9....", "bunzip2"),
        (b"bplist00....", "Page Source"),
        (gzip.compress(gzip.compress(LOGIN)), "compressed more than once"),
        (b"\xff\xfe" + "<html>".encode("utf-16-le"), "save it in UTF-8"),
        (b'{"log": {"entries": []}}', "nothing was recorded"),
        (b'{"log": {"entries": [}}', "after entry 0: it is not valid JSON"),
        (b"\x1f\x8b", "the gzip file is cut off"),
        (b"<html>" + b" " * (MAX_BYTES + 1), "is larger than"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_remedy(
    content: bytes, problem: str, folder: Path, source: SavedSource, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "file.html").write_bytes(content)
    products, lines = read(source, caplog)
    assert products == ["id-0"]
    assert len(lines) == 1
    assert lines[0].startswith("sub/file.html: ")
    assert problem in lines[0]


@settings(max_examples=50, deadline=None)
@given(members=st.lists(st.binary(max_size=3000), max_size=5), size=st.integers(1, 5000))
def test_gzip_files_of_several_members_are_decompressed_whole(
    members: list[bytes], size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("gzip") / "file.gz"
    file.write_bytes(b"".join(gzip.compress(member) for member in members))
    out = io.BytesIO()
    with open_decompressed(file) as stream:
        while data := stream.read(size):
            assert len(data) <= size
            out.write(data)
    assert out.getvalue() == b"".join(members)
    with open_decompressed(file) as stream:
        assert read_at_most(stream, 10) == out.getvalue()[:10]
