"""Hidden files and folders in which a write is prepared beside its target; those of a killed writer are swept.

A scratch is locked while it is written. The kernel lets go of the lock when its process ends, however it ends, so what
is not locked belongs to nobody: neither a process id that is used again nor a clock can mislead. What a scratch becomes
is ``lake``'s concern.

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

if sys.platform != "win32":  # there nothing is locked, and so nothing is swept
    import fcntl

REPLACED = "replaced"
"""What an older folder is called inside the scratch of the one that replaces it."""

_SCRATCH = re.compile(r"\.(.+)\.[0-9a-f]{32}\.scratch")


@contextmanager
def scratch(target: Path, *, folder: bool) -> Iterator[Path]:
    """An empty file or folder of our own beside ``target``, gone when the block ends unless it was renamed.

    The first one that a process makes in a folder sweeps that folder.
    """
    _sweep_once(target.parent)
    path, lock = _claim(target, folder=folder)
    try:
        yield path
    finally:
        _remove(path, folder=folder)
        if lock is not None:
            os.close(lock)


def sweep(folder: Path) -> list[Path]:
    """Remove the scratch files and folders whose writer is gone, and give their paths.

    Where a writer was killed after it had renamed the old folder away, and before the new one was in its place, the new
    one is put there: it was whole.
    """
    left = [path for path in folder.glob(".*.scratch") if _SCRATCH.fullmatch(path.name)]
    return [path for path in left if _is_nobodys(path)]


_sweep_once = cache(sweep)


def _is_nobodys(path: Path) -> bool:
    """Whether a scratch was without a writer; then it is no longer there."""
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
    except OSError:  # it is being written, or its file system knows no locks
        return False
    finally:
        os.close(lock)
    return True


def _claim(target: Path, *, folder: bool) -> tuple[Path, int | None]:
    """A new scratch and the descriptor that holds its lock."""
    while True:
        path = target.with_name(f".{target.name}.{uuid4().hex}.scratch")
        lock = _make(path, folder=folder)
        if sys.platform == "win32":
            return path, lock
        if lock is not None:
            with contextlib.suppress(OSError):  # no locks on this file system: nobody sweeps there either
                fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                return path, lock
            os.close(lock)
        # somebody swept it before it was locked: make another


def _make(path: Path, *, folder: bool) -> int | None:
    """Make a scratch and open it, where that is possible."""
    if sys.platform == "win32":  # a file that is open cannot be renamed there, and a folder not be opened
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
