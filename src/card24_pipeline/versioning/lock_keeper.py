"""Keeps a good copy of every ``dvc.lock`` and puts it back when a kill, or a full disk, has damaged the file.

DVC writes its lock file in place, so a kill at that moment leaves it empty or cut.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from card24_pipeline.versioning.files import write_atomically
from card24_pipeline.versioning.lock_files import CONFLICT, LockText, has_lost_entries, is_whole, salvage
from card24_pipeline.versioning.validation import VersioningError

TEMPORARY = Path(".dvc/tmp")
KEPT = TEMPORARY / "kept_locks"
REMEDY = "kedro dvc heal"
# Every process of a driver's run has it in its environment; its value is the project's root.
MARK = "KEDRO_DVC_RUN"
PATIENCE_SECONDS = 3.0
EMPTY_LOCK = "schema: '2.0'\nstages:\n"


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
    # What git put there is meant, however little it is.
    if kept and has_lost_entries(text, kept) and text not in (_read_git(root, f"{at}:{lock}") for at in ("HEAD", "")):
        return f"left with {len(LockText.split(text).entries)} of {len(LockText.split(kept).entries)} entries"
    return None


def heal_lock(root: Path, lock: str) -> str | None:
    """Restore a lock file that is damaged: from the copy kept here or the last commit, with what it still has whole.

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
    known = {"the copy kept here": kept, "the last commit": committed, "what it has whole": EMPTY_LOCK}
    origin, source = next((origin, source) for origin, source in known.items() if source and _is_usable(source))
    healed = salvage(text, source)
    if not is_whole(healed):
        healed = source
    entries = len(LockText.split(healed).entries)
    if not entries:
        (root / lock).unlink()
        return f"{lock}: was {damage}, and no copy of it exists: its stages run anew or come from DVC's run-cache"
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


def heal_list_of_users(root: Path) -> list[str]:
    """Remove DVC's own file of who reads and writes what, if a kill cut it; otherwise forget in it who is gone.

    DVC itself forgets a process only when no other has taken its number, as happens after a restart. Not to be asked
    beside stages that run.

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
        users["write"] = {name: user for name, user in users["write"].items() if is_alive(user)}
        users["read"] = {name: [user for user in listed if is_alive(user)] for name, listed in users["read"].items()}
        write_atomically(path, json.dumps(users))
    return []


def put_in_order(root: Path, orders: Mapping[str, Sequence[str]]) -> None:
    """Bring the entries of each lock file into the given order, that of its ``dvc.yaml``, and keep a copy.

    DVC appends a stage that is new when it is done: side by side in another order each time, and one after another
    in an order that may depend on Python's hash seed.
    """
    with _hold_dvc_lock(root):
        for lock, names in orders.items():
            path = root / lock
            if path.exists():
                text = path.read_text(encoding="utf-8")
                if is_whole(text) and (ordered := LockText.split(text).sort(names).join()) != text:
                    write_atomically(path, ordered)
            keep_lock(root, lock)


def check_before_stage(root: Path, conf_source: str) -> None:
    """Keep a copy of every lock file, and refuse to run a stage of a plain ``dvc repro`` when one is damaged.

    A cut file may still be YAML: DVC then runs again, without a word, what the file has lost.

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


def _is_usable(text: str) -> bool:
    return text == EMPTY_LOCK or is_whole(text)


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
