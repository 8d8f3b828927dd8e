"""`Study`: a folder with what is compared and the records of its trials."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import filelock
import keras

from keras_optlab._version import __version__
from keras_optlab.lab.studies.records import Records

FORMAT = 1  # of the folder; a later version of the package may have another
PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "numpy", "optuna")


class Study:
    """A folder with a study: `study.json`, and `records.jsonl` with a line per trial.

    Args:
        folder: The folder.
        config: What is studied, as JSON values: a new folder is made with it, and an
            old one must have the same; only optimizers may be added to a comparison.
            `None` reads an old one.

    Attributes:
        config: What is studied.
        records: The `Records` of its trials.

    Raises:
        FileNotFoundError: if there is no study, and `config` is `None`.
        ValueError: if the folder has another study, or one of another version.
    """

    def __init__(self, folder: str | Path, config: dict[str, Any] | None = None):
        self.folder = Path(folder)
        path = self.folder / "study.json"
        if path.exists():
            self._content = _read(path)
            if config is not None:
                _check_same(self.folder, self._content["config"], _as_json(config))
                self._content["config"] = _as_json(config)
        elif config is None:
            raise FileNotFoundError(
                f"There is no study in this folder. Received: {str(folder)!r}, which "
                "has no study.json."
            )
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._content = {
                "format": FORMAT,
                "config": _as_json(config),
                "versions": _versions(),
                "machine": _machine(),
                "runs": [],
            }
            self._write()
        self.config: dict[str, Any] = self._content["config"]
        self.records = Records(self.folder / "records.jsonl", write=False)

    @contextlib.contextmanager
    def opened(self, engine: dict[str, Any]) -> Iterator[None]:
        """Have the folder for this process alone, to add records.

        Args:
            engine: Description of the engine, kept with the date in `study.json`.

        Raises:
            RuntimeError: if another process has it.
        """
        lock = filelock.FileLock(self.folder / ".lock", blocking=False)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise RuntimeError(
                "Another process works on this study. Received: folder="
                f"{str(self.folder)!r}. Wait for it, or choose another folder."
            ) from None
        try:
            self.records = Records(self.folder / "records.jsonl")
            now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            self._content["runs"].append({"begun": now, **engine})
            self._write()
            yield
        finally:
            lock.release()

    def check_progress(self) -> None:
        """Raise if nothing works, which is no result.

        Raises:
            RuntimeError: if all trials failed.
        """
        records = list(self.records.values())
        if records and all(r["status"] == "failed" for r in records):
            raise RuntimeError(
                f"All {len(records)} trials failed. The last one: "
                f"{records[-1]['error']} Mend that, and run the same command again."
            )

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the packages that it was begun with."""
        return self._content["versions"]

    @property
    def machine(self) -> dict[str, Any]:
        """The machine that it was begun on."""
        return self._content["machine"]

    @property
    def runs(self) -> list[dict[str, Any]]:
        """When it was begun and gone on with, and on which engine."""
        return self._content["runs"]

    def _write(self) -> None:
        path = self.folder / "study.json"
        new = path.with_suffix(".new")
        new.write_text(json.dumps(self._content, indent=2) + "\n")
        os.replace(new, path)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
        made_by = content["versions"]["keras-optlab"]
        _ = content["config"], content["machine"], content["runs"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"The file is no description of a study. Received: {str(path)!r}: {error}"
        ) from error
    if content.get("format") != FORMAT:
        raise ValueError(
            "The study was made by another version of keras-optlab, whose files this "
            f"one does not read. Received: {str(path.parent)!r}, made by {made_by}; "
            f"this is {__version__}. Install that version, or begin anew in another "
            "folder."
        )
    return content


def _check_same(folder: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Raise if the folder has another study."""
    different = sorted(k for k in old | new if old.get(k) != new.get(k))
    if different == ["optimizers"] and new["kind"] == "compare":
        lost = [one for one in old["optimizers"] if one not in new["optimizers"]]
        if not lost:
            return  # the trials of an optimizer do not depend on the others
    if different:
        says = "; ".join(f"{k}: {old.get(k)!r}, now {new.get(k)!r}" for k in different)
        raise ValueError(
            "The folder has another study. Received: "
            f"folder={str(folder)!r}, where {says}. Give the same arguments to go on "
            "with it, or another folder to begin anew."
        )


def _as_json(config: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration as it will be read again."""
    return json.loads(json.dumps(config))


def _versions() -> dict[str, str]:
    found = {"keras-optlab": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def _machine() -> dict[str, Any]:
    return {
        "backend": keras.backend.backend(),
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
    }
