"""Every process of Python that a node of the tests starts reads this first (`site`): the parsers there leave the cores to
nobody, as those of `tests.brisk`.

It is said when the module that has the number is loaded, and not before: to load it in each process would take long.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class _Brisk(PathFinder):
    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "ingest.parse.parser_process":
            return None
        spec = super().find_spec(fullname, path, target)
        assert spec is not None and spec.loader is not None
        load = spec.loader.exec_module

        def loaded(module: ModuleType) -> None:
            load(module)
            assert module._NICENESS, "a parser steps back by another name"
            module._NICENESS = 0  # type: ignore[attr-defined]

        spec.loader.exec_module = loaded  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, _Brisk)
