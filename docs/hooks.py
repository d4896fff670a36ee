"""MkDocs hooks: generate the API reference and copy the documents kept elsewhere in the repository.

Both are generated while the site is built, so that each text has one source.

MkDocs hooks: https://www.mkdocs.org/user-guide/configuration/#hooks
"""

import ast
import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PACKAGE = "sneaker_assets"

DOCUMENTS = {
    "CONTRIBUTING.md": "contributing.md",
    "TABLES.md": "tables.md",
    "benchmarks/RESULTS.md": "results.md",
    "CHANGELOG.md": "changelog.md",
    "data_lake/README.md": "lake.md",
}
"""Page of the site by document of the repository."""

_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def api_pages() -> dict[str, list[str]]:
    """Modules by package: the content of the API reference, one page per package."""
    pages: dict[str, list[str]] = {}
    for init in sorted((ROOT / PACKAGE).rglob("__init__.py")):
        package = ".".join(init.parent.relative_to(ROOT).parts)
        names = sorted(path.stem for path in init.parent.glob("*.py"))
        pages[package] = [package, *(f"{package}.{name}" for name in names if not name.startswith("__"))]
    return pages


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Append the API reference to the navigation."""
    nav: list[Any] = config.nav or []
    nav.append({"API": [{package: _address(package)} for package in api_pages()]})
    config.nav = nav
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for package, modules in api_pages().items():
        content = "\n\n".join([f"# `{package}`", *map(_directive, modules)])
        files.append(File.generated(config, _address(package), content=content))
    for document, page in DOCUMENTS.items():
        content = relink((ROOT / document).read_text(encoding="utf-8"), posixpath.dirname(document))
        files.append(File.generated(config, page, content=content))
    return files


def relink(markdown: str, folder: str) -> str:
    """Point links between files of the repository at pages of the site; those to any other file become plain text."""

    def replace(link: re.Match[str]) -> str:
        target = link["target"]
        if "://" in target or target.startswith("mailto:"):
            return link[0]
        page = _page(posixpath.normpath(posixpath.join(folder, target)))
        return f"[{link['text']}]({page}{link['anchor'] or ''})" if page else link["text"]

    return _LINK.sub(replace, markdown)


def _address(package: str) -> str:
    return f"api/{package}.md"


def _directive(module: str) -> str:
    """Directive by which mkdocstrings renders a module.

    The docstring of a package stands below the page's title. What a package re-exports is documented in the module that
    defines it, except the public API of the root package.
    """
    init = ROOT.joinpath(*module.split("."), "__init__.py")
    if not init.is_file():
        return f"::: {module}"
    options: dict[str, Any] = {"show_root_heading": False}
    if module != PACKAGE:
        body = ast.parse(init.read_text(encoding="utf-8")).body
        defined = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        options["members"] = [name for name in defined if not name.startswith("_")] or False
    return f"::: {module}\n    options: {json.dumps(options)}"


def _page(path: str) -> str | None:
    """The page that shows a file or folder of the repository, if there is one."""
    if path in DOCUMENTS:
        return DOCUMENTS[path]
    package = path if (ROOT / path).is_dir() else posixpath.dirname(path)
    name = package.replace("/", ".")
    return _address(name) if name in api_pages() else None
