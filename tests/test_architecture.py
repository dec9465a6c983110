"""The rules of the house that a linter does not know, held by reading the source."""

from __future__ import annotations

import ast
import functools
import graphlib
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Set
from pathlib import Path

import pytest

import sgm_tui

PACKAGE = Path(sgm_tui.__file__).parent
PROJECT = Path(__file__).parents[1] / "pyproject.toml"
MODULES = sorted(PACKAGE.rglob("*.py"))

ONLY_HERE = {
    "kubernetes": "live/kubeconfig.py",
    "prometheus_api_client": "live/prometheus.py",
    "github": "forge/client.py",
    "git": "gitops/git_process.py",
}
"""Each client library is imported by one module."""

RUAMEL = {"gitops/yaml/proof.py", "commands/status.py", "sandbox/team_file.py"}
"""ruamel.yaml proves every edit in the first. The second writes `sgm status -o yaml`, whose bytes are ruamel's YAML
1.2; the third keeps the comments of the sandbox's `sgm.yaml`."""

ONE_A_SERVER = {
    "aiohttp": {"live/connection.py", "forge/registry.py", "transport/streaming.py"},
    "requests": {"live/prometheus.py", "forge/client.py", "transport/blocking.py"},
    "urllib3": {"live/prometheus.py", "forge/client.py", "transport/blocking.py"},
    "durationpy": {"durations.py"},
}
"""Each protocol library is imported by the limits of `transport` and by one module a kind of server; the sandbox, which
is such servers, is counted apart."""

LAZY_IMPORTS = {
    "start.py": "an interrupt ends the process without a traceback while everything else loads",
    "cli.py": "only the command that is run is loaded",
    "wiring/": "the client libraries load in a thread, after the first frame",
    "commands/": "a command loads only what it needs; the shell waits for completion at every Tab",
    "memory.py": "ctypes loads after the first frame",
    "ui/navigation.py": "the screens behind the first take a third as long to load as all that the first frame needs",
    "ui/screens/matrix.py": "the details and the footer load while the first frame is on the screen",
    "ui/screens/staging.py": "the rules of staging load when the first change is staged",
}
"""The modules, or folders of modules, that may import inside a function, each with its reason.

They use plain import statements: mypy and import-linter check those, but not what a helper imports by name."""

TEXTUAL_INTERNALS = {"ui/textual_internals.py", "ui/terminal/driver.py"}
"""Where private parts of Textual are used: the first gives them public names, the second replaces a driver."""
TEXTUAL_MODULES = (
    "textual.app",
    "textual.command",
    "textual.dom",
    "textual.drivers.linux_driver",
    "textual.driver",
    "textual.message_pump",
    "textual.screen",
    "textual.scroll_view",
    "textual.widget",
)
PUBLIC_BY_NAMEDTUPLE = {"_replace"}

SAY_NOTHING = frozenset(
    [
        "one",
        "said",
        "told",
        "found",
        "wanted",
        "held",
        "made",
        "left",
        "known",
        "given",
        "asked",
        "kept",
        "seen",
        "got",
        "taken",
        "brought",
        "meant",
        "gone",
        "others",
    ]
)
"""Names that do not say what a value is; in a comprehension or lambda of one line its context does."""
EMPTY_NAMES_PER_MILLE = 1
"""So many of a thousand bound names may say nothing. It only falls."""

LINES_PER_MODULE = 500
LINES_PER_CLASS = 250
LINES_TO_EXPLAIN = 200
"""A longer class says in its docstring why it is not split."""
LINES_PER_FUNCTION = 40


@functools.cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def imports_of(path: Path) -> frozenset[str]:
    libraries = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            libraries.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            libraries.add(node.module.partition(".")[0])
    return frozenset(libraries)


def length(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def bound_names(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield every name a module binds, with its line, but for those of comprehensions and lambdas of one line."""
    one_line = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.Lambda
    if isinstance(node, one_line) and node.lineno == node.end_lineno:
        return
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name, node.lineno
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
            yield name, node.lineno
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name, node.lineno
        case ast.alias(name=name, asname=alias):
            yield (alias or name).partition(".")[0], node.lineno
        case _:
            pass
    for child in ast.iter_child_nodes(node):
        yield from bound_names(child)


def test_names_say_what_they_are() -> None:
    names = [
        (name, f"{path.relative_to(PACKAGE)}:{line} {name}")
        for path in MODULES
        for name, line in bound_names(parse(path))
    ]
    empty = [where for name, where in names if name.strip("_") in SAY_NOTHING]
    assert len(empty) * 1000 <= EMPTY_NAMES_PER_MILLE * len(names), "\n".join(empty)


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def own_imports(path: Path, modules: Set[str]) -> Iterator[str]:
    """Yield the modules of ours that a module imports when it is imported, or only for its types."""
    nodes: list[ast.AST] = [parse(path)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & modules
            yield from inner or {node.module} & modules
        elif isinstance(node, ast.Import):
            yield from {alias.name for alias in node.names} & modules
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            nodes.extend(ast.iter_child_nodes(node))


def test_no_modules_import_each_other_in_a_circle() -> None:
    modules = {module_name(path): path for path in MODULES}
    imports = {name: set(own_imports(path, modules.keys())) - {name} for name, path in modules.items()}
    graphlib.TopologicalSorter(imports).prepare()  # raises CycleError, which names the circle


def test_every_module_of_the_domain_has_a_layer() -> None:
    """import-linter checks that only where the layers are the children of one package, and `plans` has modules in four.

    A module inside of a folder that is named as a whole has that folder's layer.
    """
    contracts = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["name"].startswith("Inside fleet:")]
    placed = {module for layer in layers for module in layer.split(" | ")}
    fleet = [module_name(path) for path in MODULES if path.is_relative_to(PACKAGE / "fleet")]
    folders = {module_name(path) for path in MODULES if path.name == "__init__.py"}

    def has_layer(name: str) -> bool:
        return name in placed or any(name.startswith(f"{module}.") for module in placed)

    assert [name for name in fleet if name not in folders and not has_layer(name)] == []
    assert [module for module in placed if module not in fleet] == []


def modules_importing(library: str) -> set[str]:
    return {path.relative_to(PACKAGE).as_posix() for path in MODULES if library in imports_of(path)}


def has_lazy_imports(tree: ast.Module) -> bool:
    """Return whether a function of the module imports something."""
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return any(isinstance(node, ast.Import | ast.ImportFrom) for function in functions for node in ast.walk(function))


def test_only_the_modules_named_here_import_inside_functions() -> None:
    lazy = {path.relative_to(PACKAGE).as_posix() for path in MODULES if has_lazy_imports(parse(path))}
    rooms = {room for room in LAZY_IMPORTS if room.endswith("/")}
    assert {next((room for room in rooms if path.startswith(room)), path) for path in lazy} == set(LAZY_IMPORTS)


@pytest.mark.parametrize(("library", "home"), ONLY_HERE.items(), ids=ONLY_HERE.keys())
def test_a_client_library_is_known_to_one_module(library: str, home: str) -> None:
    assert modules_importing(library) == {home}


def test_ruamel_proves_edits_in_one_module_and_is_used_by_no_other_reader() -> None:
    assert modules_importing("ruamel") == RUAMEL


@pytest.mark.parametrize(("library", "homes"), ONE_A_SERVER.items(), ids=ONE_A_SERVER.keys())
def test_a_protocol_library_is_known_to_one_module_a_kind_of_server(library: str, homes: set[str]) -> None:
    assert {user for user in modules_importing(library) if not user.startswith("sandbox/")} == homes


def test_json_is_read_by_one_function() -> None:
    readers = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute) and node.attr in {"load", "loads"} and ast.unparse(node.value) == "json"
    }
    assert {path for path in readers if not path.startswith("sandbox/")} == {"json_reader.py"}, (
        "nesting ends json.loads"
    )


def private_names(module: str) -> Set[str]:
    """Return the private names that the classes of a module of Textual have or set."""
    classes = [item for item in vars(importlib.import_module(module)).values() if inspect.isclass(item)]
    own = [item for item in classes if item.__module__ == module]
    names = {name for item in own for name in vars(item)}
    names |= {name for item in own for name in re.findall(r"self\.(_[a-z]\w*)", inspect.getsource(item))}
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


def private_uses(path: Path, private: Set[str]) -> Iterator[str]:
    """Yield the private names of Textual that a module uses and does not define, or overrides."""
    tree = parse(path)
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    defined = {node.name for node in functions}
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    defined |= {node.attr for node in attributes if isinstance(node.ctx, ast.Store)}
    for node in attributes:
        is_inherited = isinstance(node.value, ast.Call) and ast.unparse(node.value) == "super()"
        if node.attr in private and (is_inherited or node.attr not in defined):
            yield f"{path.relative_to(PACKAGE)}:{node.lineno} {ast.unparse(node)}"
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and re.match(r"textual\b.*\._", node.module):
            yield f"{path.relative_to(PACKAGE)}:{node.lineno} {node.module}"


def test_private_parts_of_textual_are_used_in_one_module_and_in_the_driver() -> None:
    private = set().union(*map(private_names, TEXTUAL_MODULES)) - PUBLIC_BY_NAMEDTUPLE
    assert {"_dispatch_message", "_exit", "_pruning", "_binding_chain", "_driver"} <= private
    paths = [path for path in MODULES if path.relative_to(PACKAGE).as_posix() not in TEXTUAL_INTERNALS]
    assert [use for path in paths if "ui" in path.parts for use in private_uses(path, private)] == []


def oversized_parts(path: Path) -> Iterator[str]:
    """Yield what is too long to be read at once: the module itself, classes and functions of it."""
    home = path.relative_to(PACKAGE).as_posix()
    if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LINES_PER_MODULE:
        yield f"{home} has {lines} lines"
    for node in ast.walk(parse(path)):
        limit = LINES_PER_CLASS if isinstance(node, ast.ClassDef) else LINES_PER_FUNCTION
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > limit:
            yield f"{home}: {node.name} has {length(node)} lines"


def unexplained_classes(path: Path) -> Iterator[str]:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ClassDef) and length(node) > LINES_TO_EXPLAIN:
            docstring = " ".join((ast.get_docstring(node) or "").split())
            if f"Longer than {LINES_TO_EXPLAIN} lines because" not in docstring:
                yield f"{path.relative_to(PACKAGE)}: {node.name} has {length(node)} lines"


def test_a_long_class_says_why_it_is_not_split() -> None:
    assert [part for path in MODULES for part in unexplained_classes(path)] == []


def test_modules_classes_and_functions_stay_small_enough_to_read() -> None:
    assert [part for path in MODULES for part in oversized_parts(path)] == []


def test_every_module_says_what_it_is_for() -> None:
    assert [path for path in MODULES if not ast.get_docstring(parse(path))] == []


@pytest.mark.parametrize("silencer", ["type: ignore", "# noqa"])
def test_no_check_is_silenced(silencer: str) -> None:
    assert [path for path in MODULES if silencer in path.read_text(encoding="utf-8")] == []


def test_the_first_frame_loads_no_client_library_no_rule_and_no_other_screen() -> None:
    heavy = ["kubernetes", "github", "git", "prometheus_api_client", "aiohttp", "ruamel", "yaml", "ctypes"]
    later = (
        "config/file.py",
        "fleet/policy.py",
        "fleet/plans/proposal.py",
        "fleet/plans/staging.py",
        "fleet/gate.py",
        "fleet/rollouts/derivation.py",
        "fleet/facts.py",
        "ui/screens/cell.py",
        "ui/screens/plan.py",
        "ui/widgets/detail_pane.py",
    )
    assert [path for path in later if not (PACKAGE / path).exists()] == []
    heavy += ["sgm_tui." + path.removesuffix(".py").replace("/", ".") for path in later]
    program = f"import sys, sgm_tui.cli, sgm_tui.ui.app; print([name for name in {heavy} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_sgm_itself_starts_without_the_screen_library() -> None:
    program = "import sys, sgm_tui.cli; print('textual' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
