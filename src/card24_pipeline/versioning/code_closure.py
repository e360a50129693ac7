"""Code dependencies: every module of a package that a module imports, directly or not."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from card24_pipeline.versioning.errors import VersioningError

if TYPE_CHECKING:
    from grimp import ImportGraph


class CodeClosure:
    """Import graph of one package, read from its source without importing it."""

    def __init__(self, package: str, source: Path, project: Path, discovers: Mapping[str, str] | None = None) -> None:
        """Name the package.

        Args:
            package: Name of the package; it must be importable.
            source: Folder that holds the package.
            project: Root that paths are written relative to.
            discovers: Modules that find others at run time, each with a pattern of those.
        """
        self._package = package
        self._source = source
        self._project = project
        self._discovers = discovers or {}
        self._closures: dict[str, frozenset[str]] = {}

    @cached_property
    def _graph(self) -> ImportGraph:
        import grimp

        # Imports for type checking only never run, so they cannot change a result.
        return grimp.build_graph(self._package, exclude_type_checking_imports=True, cache_dir=None)

    def owns(self, module: str) -> bool:
        """Tell whether a module belongs to the package."""
        return module == self._package or module.startswith(f"{self._package}.")

    def list_files(self, modules: set[str]) -> tuple[str, ...]:
        """List the files that running these modules reads.

        Args:
            modules: Dotted names; those outside the package are passed over.

        Returns:
            Sorted paths relative to the project: the modules, what they import within the package, the ``__init__``
            of every package on the way, and the folders of data beside these, such as templates.

        Raises:
            VersioningError: When a module of the package has no source file in it.
        """
        reached: set[str] = set()
        for module in modules:
            if self.owns(module):
                reached |= self._close(module)
        return tuple(sorted(path for module in reached for path in self._locate(module)))

    def _close(self, module: str) -> frozenset[str]:
        if module not in self._closures:
            self._check_known(module)
            reached: set[str] = set()
            waiting = [module]
            while waiting:
                current = waiting.pop()
                if current not in reached:
                    reached.add(current)
                    waiting += self._graph.find_modules_directly_imported_by(current)
                    waiting += self._discover(current)
                    if current != self._package:
                        waiting.append(current.rpartition(".")[0])
            self._closures[module] = frozenset(reached)
        return self._closures[module]

    def _check_known(self, module: str) -> None:
        if module not in self._graph.modules:
            raise VersioningError(f"{module}: not found in the source of {self._package} (an __init__.py missing?)")

    def _discover(self, module: str) -> list[str]:
        if module not in self._discovers:
            return []
        return sorted(found for found in self._graph.modules if fnmatchcase(found, self._discovers[module]))

    def _locate(self, module: str) -> list[str]:
        path = self._source.joinpath(*module.split("."))
        found = [path.with_suffix(".py")]
        if path.is_dir():
            data = [folder for folder in path.iterdir() if folder.is_dir() and not any(folder.rglob("*.py*"))]
            found = [path / "__init__.py", *data]
        return [file.relative_to(self._project).as_posix() for file in found]
