"""Hidden temporary files and folders beside a write's target, and removal of those that killed writers left behind.

Each is locked for as long as it is written. The kernel releases the lock when the process ends, however it ends, so an
unlocked one is certainly abandoned; process ids may be reused and clocks may be wrong.

flock: https://man7.org/linux/man-pages/man2/flock.2.html
"""

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

if sys.platform != "win32":  # no locks there, so nothing is swept either
    import fcntl

REPLACED = "replaced"
"""Name of the previous folder inside the scratch folder that replaces it."""

_SCRATCH = re.compile(r"\.(.+)\.[0-9a-f]{32}\.scratch")


@contextmanager
def scratch(target: Path, *, folder: bool) -> Iterator[Path]:
    """An empty, locked file or folder beside ``target``, removed on exit unless it was renamed.

    The first call of a process for a parent folder sweeps that folder.

    Args:
        target: What the caller is going to replace.
        folder: Whether to create a folder instead of a file.

    Yields:
        The scratch path.
    """
    _sweep_once(target.parent)
    path, lock = _create_locked(target, folder=folder)
    try:
        yield path
    finally:
        _remove(path, folder=folder)
        if lock is not None:
            os.close(lock)


def sweep(folder: Path) -> list[Path]:
    """Remove the scratch files and folders whose writer has died.

    A writer may be killed after it moved the old folder away and before the new one took its place. The new folder was
    complete by then, so it is moved to its target.

    Args:
        folder: The folder to look in; subfolders are not searched.

    Returns:
        The paths that were removed.
    """
    candidates = [path for path in folder.glob(".*.scratch") if _SCRATCH.fullmatch(path.name)]
    return [path for path in candidates if _remove_if_abandoned(path)]


_sweep_once = cache(sweep)


def _remove_if_abandoned(path: Path) -> bool:
    if sys.platform == "win32":
        return False
    try:
        lock = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        target = path.with_name(_SCRATCH.sub(r"\1", path.name))
        if (path / REPLACED).exists() and not target.exists():
            (path / target.name).rename(target)
        _remove(path, folder=path.is_dir())
    except OSError:  # still being written, or the file system has no locks
        return False
    finally:
        os.close(lock)
    return True


def _create_locked(target: Path, *, folder: bool) -> tuple[Path, int | None]:
    """A new scratch path and the descriptor that holds its lock, None on Windows."""
    while True:
        path = target.with_name(f".{target.name}.{uuid4().hex}.scratch")
        lock = _create(path, folder=folder)
        if sys.platform == "win32":
            return path, lock
        if lock is not None:
            with contextlib.suppress(OSError):  # a file system without locks is never swept
                fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                return path, lock
            os.close(lock)
        # another process swept it before it was locked


def _create(path: Path, *, folder: bool) -> int | None:
    """Create a scratch path and open it; None where it is gone already or cannot be opened."""
    if sys.platform == "win32":  # an open file cannot be renamed there, and a folder cannot be opened
        path.mkdir() if folder else path.touch(exist_ok=False)
        return None
    if not folder:
        return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o666)
    path.mkdir()
    with contextlib.suppress(FileNotFoundError):
        return os.open(path, os.O_RDONLY)
    return None


def _remove(path: Path, *, folder: bool) -> None:
    if folder:
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
