"""Keeps a good copy of every ``dvc.lock`` and puts it back when a kill, or a full disk, has damaged the file.

DVC writes its lock file in place, so a kill at that moment leaves it empty or cut.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from card24_pipeline.versioning.dvc_file import DVC_FILE, HEADER, LOCK_FILE, list_lock_entries
from card24_pipeline.versioning.files import write_atomically
from card24_pipeline.versioning.lock_files import CONFLICT, EMPTY_LOCK, LockText, has_lost_entries, is_whole, salvage
from card24_pipeline.versioning.validation import VersioningError

TEMPORARY = Path(".dvc/tmp")
KEPT = TEMPORARY / "kept_locks"
REMEDY = "kedro dvc heal"
# Every process of a driver's run has it in its environment; its value is the project's root.
MARK = "KEDRO_DVC_RUN"
PATIENCE_SECONDS = 3.0


def find_lock_files(root: Path, conf_source: str) -> list[str]:
    """List the lock files of a project, present or kept, relative to its root."""
    present = [path for pattern in ("dvc.lock", f"{conf_source}/**/dvc.lock") for path in root.glob(pattern)]
    kept = [root / path.relative_to(root / KEPT) for path in (root / KEPT).rglob("dvc.lock")]
    return sorted({path.relative_to(root).as_posix() for path in (*present, *kept)})


def keep_lock(root: Path, lock: str) -> bool:
    """Copy a lock file if it is whole.

    Returns:
        Whether the copy holds what the file does. It may not while DVC writes the file: try again later.
    """
    path, copy = root / lock, root / KEPT / lock
    if not path.exists():
        # DVC never removes one; who did wants to start anew.
        copy.unlink(missing_ok=True)
        return True
    text, kept = path.read_text(encoding="utf-8", errors="replace"), _read_kept(root, lock)
    if text == kept:
        return True
    if describe_damage(root, lock, text, kept):
        return False
    copy.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(copy, text)
    return True


def describe_damage(root: Path, lock: str, text: str, kept: str | None) -> str | None:
    """Say what is wrong with the text of a lock file, given the copy that was kept; None if nothing is."""
    if not text.strip():
        return "empty"
    if CONFLICT.search(text):
        raise VersioningError(f"{lock}: git's conflict markers in it: take one side (`git checkout --ours {lock}`)")
    if not is_whole(text):
        return f"cut after {max(0, len(LockText.split(text).entries) - 1)} entries"
    before = _drop_former(root, lock, kept) if kept else ""
    # What git put there is meant, however little it is.
    if has_lost_entries(text, before) and text not in (_read_git(root, f"{at}:{lock}") for at in ("HEAD", "")):
        return f"left with {len(LockText.split(text).entries)} of {len(LockText.split(before).entries)} entries"
    return None


def heal_lock(root: Path, lock: str) -> str | None:
    """Restore a lock file that is damaged: from the copy kept here or the last commit, with what it still has whole.

    What either has of stages that there are no more stays away.

    Returns:
        A line that says what was done; None if nothing was wrong.

    Raises:
        VersioningError: If the file has conflict markers of git's.
    """
    if keep_lock(root, lock):
        return None
    text, kept = (root / lock).read_text(encoding="utf-8", errors="replace"), _read_kept(root, lock)
    damage = describe_damage(root, lock, text, kept)
    committed = _read_git(root, f"HEAD:{lock}")
    if kept and is_whole(kept):
        origin, source = "the copy kept here", kept
    elif committed and is_whole(committed):
        origin, source = "the last commit", committed
    else:
        origin, source = "what it has whole", EMPTY_LOCK
    salvaged = salvage(text, source)
    healed = _drop_former(root, lock, salvaged if is_whole(salvaged) else source)
    entries = len(LockText.split(healed).entries)
    if not entries:
        (root / lock).unlink()
        return f"{lock}: was {damage}, and no copy has anything of it: its stages run anew or come from DVC's run-cache"
    write_atomically(root / lock, healed)
    keep_lock(root, lock)
    return f"{lock}: was {damage}; restored from {origin} ({entries} entries)"


def heal_locks(root: Path, locks: Sequence[str]) -> list[str]:
    """Heal lock files while no DVC writes them; return a line for each that was damaged.

    Raises:
        VersioningError: If another DVC is at work, or a file has conflict markers.
    """
    with _hold_dvc_lock(root):
        return [line for line in (heal_lock(root, lock) for lock in locks) if line]


def drop_former_entries(root: Path, lock: str) -> list[str]:
    """Drop from a lock file, and from its copy, the entries of stages that the generated file beside it has no more.

    Returns:
        Their names; where there are none, no file is touched.

    Raises:
        VersioningError: If the file is damaged, or DVC is at work.
    """
    path = root / lock
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    if is_whole(text) and not _list_former(root, lock, text):
        return []
    with _hold_dvc_lock(root):
        # Again, as DVC may have been writing.
        text = path.read_text(encoding="utf-8", errors="replace")
        if not is_whole(text):
            raise VersioningError(f"damaged, DVC did not write it whole: `{REMEDY}` restores it")
        gone, left = _list_former(root, lock, text), _drop_former(root, lock, text)
        if not LockText.split(left).entries:
            path.unlink()  # as DVC does
        elif gone:
            write_atomically(path, left)
        keep_lock(root, lock)
    return gone


def heal_list_of_users(root: Path, alone: bool = True) -> list[str]:
    """Remove DVC's own file of who reads and writes what, if a kill cut it; otherwise forget in it who is gone.

    DVC itself forgets a process only when no other has taken its number, as happens after a restart. Not to be asked
    beside stages that run.

    Args:
        root: The project.
        alone: Whether this machine alone runs its stages; of processes elsewhere, whose machine DVC does not write
            down, nobody here can tell which are gone.

    Returns:
        A line if the file was cut.
    """
    import psutil
    from dvc.rwlock import SCHEMA
    from voluptuous import Invalid

    def is_alive(user: Mapping[str, Any]) -> bool:
        try:
            return user["pid"] != os.getpid() and "dvc" in " ".join(psutil.Process(user["pid"]).cmdline())
        except psutil.Error:
            return False

    path = root / TEMPORARY / "rwlock"
    with _hold_dvc_lock(root):
        if not path.exists():
            return []
        try:
            users = SCHEMA(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, Invalid):
            path.unlink()
            return [f"{TEMPORARY}/rwlock: was cut; removed (DVC makes it anew)"]
        if not alone:
            return []
        users["write"] = {name: user for name, user in users["write"].items() if is_alive(user)}
        users["read"] = {name: [user for user in listed if is_alive(user)] for name, listed in users["read"].items()}
        write_atomically(path, json.dumps(users))
    return []


def put_in_order(root: Path, orders: Mapping[str, Sequence[str]]) -> None:
    """Bring the entries of each lock file into the given order, that of its ``dvc.yaml``, and keep a copy.

    DVC appends a stage that is new when it is done: side by side in another order each time, and one after another
    in an order that may depend on Python's hash seed. In a plain ``dvc repro`` see :func:`prepare_stage`.
    """
    with _hold_dvc_lock(root):
        for lock, names in orders.items():
            path = root / lock
            if path.exists():
                text = path.read_text(encoding="utf-8")
                if is_whole(text) and (ordered := LockText.split(text).sort(names).join()) != text:
                    write_atomically(path, ordered)
            keep_lock(root, lock)


def prepare_stage(root: Path, conf_source: str) -> None:
    """Keep a copy of every lock file before a stage of a plain ``dvc repro``, and make room for the stage's entry.

    A cut file may still be YAML: DVC then runs again, without a word, what the file has lost. And it writes the entry
    of a stage where one stands already, so that the entries of what has run have the order of the ``dvc.yaml``, as
    the driver leaves them. Not so where DVC was called outside the root, or brings outputs back from its run-cache and
    runs no stage of that file afterwards: then the driver's next run puts them in order.

    Raises:
        VersioningError: With the remedy.
    """
    # The driver looks for itself, and beside it another stage may just be writing.
    if "DVC_STAGE" not in os.environ or MARK in os.environ:
        return
    for lock in find_lock_files(root, conf_source):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not keep_lock(root, lock):
            if time.monotonic() > deadline:
                raise VersioningError(f"{lock}: damaged, as a kill leaves it: run `{REMEDY}`, then go on")
            time.sleep(0.2)
    # Only the order is lost where another command of DVC's is at work for long.
    with suppress(VersioningError), _hold_dvc_lock(root):
        _make_room(root, os.environ["DVC_STAGE"])


def _make_room(root: Path, address: str) -> None:
    """Put entries in order, that of a stage which is about to run among them; its command is none until it is done."""
    file, _, name = address.rpartition(":")
    lock = Path(file).with_name(LOCK_FILE).as_posix() if file else LOCK_FILE
    names, path = _list_entries(root, lock), root / lock
    if name in (names or ()):
        text = path.read_text(encoding="utf-8") if path.exists() else EMPTY_LOCK
        ordered = LockText.split(text).enter(name).sort(names or ()).join()
        if ordered != text and is_whole(ordered):
            write_atomically(path, ordered)
            keep_lock(root, lock)


def _list_entries(root: Path, lock: str) -> list[str] | None:
    """List the entries that belong into a lock file; None where no generated file stands beside it to say so."""
    file = (root / lock).with_name(DVC_FILE)
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    # One with git's conflict markers, say, is no YAML.
    with suppress(yaml.YAMLError):
        return list_lock_entries(text) if text.startswith(HEADER) else None
    return None


def _list_former(root: Path, lock: str, text: str) -> list[str]:
    known, present = _list_entries(root, lock), LockText.split(text).entries
    return [] if known is None else [name for name in present if name not in known]


def _drop_former(root: Path, lock: str, text: str) -> str:
    known = _list_entries(root, lock)
    return text if known is None else LockText.split(text).select(known).join()


def _read_kept(root: Path, lock: str) -> str | None:
    copy = root / KEPT / lock
    return copy.read_text(encoding="utf-8") if copy.exists() else None


def _read_git(root: Path, name: str) -> str | None:
    shown = subprocess.run(["git", "show", name], cwd=root, capture_output=True, check=False)
    return shown.stdout.decode("utf-8", errors="replace") if shown.returncode == 0 else None


@contextmanager
def _hold_dvc_lock(root: Path) -> Iterator[None]:
    from dvc.lock import LockError, make_lock

    folder = root / TEMPORARY
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with make_lock(str(folder / "lock"), tmp_dir=str(folder)):
            yield
    except LockError as error:
        raise VersioningError("another DVC command is at work in this checkout: wait for it, then go on") from error
