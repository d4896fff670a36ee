"""Scratch files of writers that are killed with a signal."""

import subprocess
import sys
from pathlib import Path

import pytest

from sneaker_assets.lake import Lake, new_file, new_folder, write_bytes
from sneaker_assets.scratch import scratch, sweep

HALF_A_FILE = "with new_file(path) as file: file.write_bytes(b'half'); stop()"
HALF_A_FOLDER = "with new_folder(path) as folder: (folder / 'half').write_text(''); stop()"
BETWEEN_TWO_RENAMES = """
path = local_path(path)
with scratch(path, folder=True) as made:
    (made / path.name).mkdir()
    (made / path.name / 'new').write_text('')
    path.rename(made / REPLACED)
    stop()
"""


def kill_a_writer(path: Path, code: str) -> None:
    """Run the code in a process that is killed where it calls ``stop()``."""
    preamble = (
        "import time; from upath import UPath; from sneaker_assets.lake import *; from sneaker_assets.lake import "
        "local_path; from sneaker_assets.scratch import *\n"
        "def stop():\n    print('here', flush=True)\n    time.sleep(60)\n"
        f"path = UPath({str(path)!r})\n"
    )
    with subprocess.Popen([sys.executable, "-c", preamble + code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        assert sweep(path.parent) == []  # it is alive
        process.kill()


def names(folder: Path) -> list[str]:
    return sorted(child.name for child in folder.iterdir())


@pytest.mark.parametrize("code", [HALF_A_FILE, HALF_A_FOLDER], ids=["file", "folder"])
def test_scratch_of_a_killed_writer_is_swept(tmp_path: Path, code: str) -> None:
    kill_a_writer(tmp_path / "things", code)
    assert [name.startswith(".things.") for name in names(tmp_path)] == [True]
    write_bytes(Lake.at(tmp_path).root / "other", b"new")
    assert names(tmp_path) == ["other"]


def test_folder_of_a_writer_killed_between_two_renames_is_published(tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()
    (target / "old").write_text("")
    kill_a_writer(target, BETWEEN_TWO_RENAMES)
    assert not target.exists()
    assert len(sweep(tmp_path)) == 1
    assert (names(tmp_path), names(target)) == (["model"], ["new"])


def test_locked_scratch_is_not_swept(tmp_path: Path) -> None:
    root = Lake.at(tmp_path).root
    with new_file(root / "file") as file, new_folder(root / "folder") as folder:
        file.write_bytes(b"new")
        (folder / "inner").write_text("new")
        assert sweep(tmp_path) == []
    assert names(tmp_path) == ["file", "folder"]
    assert (tmp_path / "folder" / "inner").read_text() == "new"


def test_other_hidden_files_are_not_swept(tmp_path: Path) -> None:
    for name in (".gitignore", ".writable", ".notes.scratch"):
        (tmp_path / name).write_text("")
    assert sweep(tmp_path) == []


def test_concurrent_writers_and_sweepers_lose_no_file(tmp_path: Path) -> None:
    """Two processes write and sweep the same folder; every file is complete."""
    code = (
        "import sys; from pathlib import Path; from sneaker_assets.scratch import scratch, sweep\n"
        "root, name = Path(sys.argv[1]), sys.argv[2]\n"
        "for i in range(200):\n"
        "    with scratch(root / f'{name}{i}', folder=False) as file:\n"
        "        file.write_text(name)\n"
        "        sweep(root)\n"
        "        file.replace(root / f'{name}{i}')\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert names(tmp_path) == sorted(f"{name}{i}" for name in "ab" for i in range(200))
    assert {file.read_text() for file in tmp_path.iterdir()} == {"a", "b"}


def test_scratch_is_removed_when_its_block_fails(tmp_path: Path) -> None:
    for folder in (True, False):
        with pytest.raises(RuntimeError), scratch(tmp_path / "things", folder=folder):
            raise RuntimeError
    assert names(tmp_path) == []
