"""Code dependencies: every module of a package that a module imports, directly or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import filter as filter_names
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from card24_pipeline.versioning.validation import VersioningError

if TYPE_CHECKING:
    from grimp import ImportGraph


@dataclass(frozen=True)
class CodeClosure:
    """Import graph of one package, read from its source without importing it.

    Attributes:
        package: Name of the package; it must be importable.
        source: Folder that holds the package.
        project: Root that paths are written relative to.
        discovers: Modules that find others at run time, each with a pattern of those.
    """

    package: str
    source: Path
    project: Path
    discovers: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _graph(self) -> ImportGraph:
        import grimp

        # Imports for type checking only never run, so they cannot change a result.
        return grimp.build_graph(self.package, exclude_type_checking_imports=True, cache_dir=None)

    @cached_property
    def _discovered(self) -> Mapping[str, Sequence[str]]:
        found = {module: filter_names(self._graph.modules, pattern) for module, pattern in self.discovers.items()}
        for module, pattern in self.discovers.items():
            wrong = module if module not in self._graph.modules else "" if found[module] else pattern
            if wrong:
                raise VersioningError(f"pyproject.toml: tool.dvc_stages.discovers: no module is called {wrong}")
        return found

    def list_files(self, modules: Iterable[str]) -> tuple[str, ...]:
        """List the files that running these modules reads.

        Args:
            modules: Dotted names; those outside the package are passed over.

        Returns:
            Sorted paths relative to the project: the modules, what they import within the package, the ``__init__``
            of every package on the way, and the folders of data beside these, such as templates.

        Raises:
            VersioningError: When a module of the package has no source file in it.
        """
        found: set[str] = set()
        waiting = [module for module in modules if f"{module}.".startswith(f"{self.package}.")]
        while waiting:
            module = waiting.pop()
            if module in found:
                continue
            if module not in self._graph.modules:
                raise VersioningError(f"{module}: not found in the source of {self.package} (an __init__.py missing?)")
            found.add(module)
            waiting += self._graph.find_modules_directly_imported_by(module)
            waiting += self._discovered.get(module, ())
            waiting += [module.rpartition(".")[0]] if module != self.package else []
        return tuple(sorted(path for module in found for path in self._locate(module)))

    def _locate(self, module: str) -> list[str]:
        path = self.source.joinpath(*module.split("."))
        found = [path.with_suffix(".py")]
        if path.is_dir():
            data = [folder for folder in path.iterdir() if folder.is_dir() and not any(folder.rglob("*.py*"))]
            found = [path / "__init__.py", *data]
        return [file.relative_to(self.project).as_posix() for file in found]
