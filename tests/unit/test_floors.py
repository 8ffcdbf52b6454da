"""The house has floors: every module imports from its own floor or from those below, and nowhere in a circle.

Read from the code, so that imports inside functions count like all others: one that is late because starting Python
with torch takes seconds is as good as any, one that dodges a circle is an offence.
"""

import ast
from typing import Dict, Iterator, List, NamedTuple

import pytest

# From the ground up. A name stands for a module or for all of a package; the longest one that fits a module counts.
FLOORS = [
    ["swcm_fairseq.errors", "swcm_fairseq.version"],
    [
        "swcm_fairseq.allocator",
        "swcm_fairseq.encodings",
        "swcm_fairseq.packed_streams",
        "swcm_fairseq.files",
        "swcm_fairseq.input_files",
        "swcm_fairseq.processors",
        "swcm_fairseq.hardware",
        "swcm_fairseq.languages",
        "swcm_fairseq.sentences",
    ],
    ["swcm_fairseq.torch_files", "swcm_fairseq.training_run"],
    ["swcm_fairseq.vocabulary"],
    ["swcm_fairseq.data", "swcm_fairseq.pretrained", "swcm_fairseq.modules", "swcm_fairseq.scoring"],
    ["swcm_fairseq.criterions", "swcm_fairseq.optim", "swcm_fairseq.fairseq_patches"],
    ["swcm_fairseq.models", "swcm_fairseq.plugin"],
    ["swcm_fairseq.training_memory"],
    ["swcm_fairseq.decoding", "swcm_fairseq.training", "swcm_fairseq.validation"],
    ["swcm_fairseq.tasks", "swcm_fairseq.export", "swcm_fairseq.serving", "swcm_fairseq.scoring.report"],
    ["swcm_fairseq.scoring.command"],
    ["swcm_fairseq"],
    ["swcm_preprocess"],
    ["recipes"],
]


class Import(NamedTuple):
    """That ``module`` imports ``imported``, at ``place``: file and line."""

    module: str
    imported: str
    place: str


@pytest.fixture(scope="module")
def modules(repo) -> Dict[str, str]:
    """Name of every module of the package, the scripts and the recipes -> its file under the checkout."""
    found = {}
    for folder, package in (("swcm_fairseq",) * 2, ("preprocess", "swcm_preprocess"), ("recipes",) * 2):
        for path in sorted((repo / folder).rglob("*.py")):
            parts = [package, *path.relative_to(repo / folder).with_suffix("").parts]
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = str(path.relative_to(repo))
    return found


@pytest.fixture(scope="module")
def imports(repo, modules) -> List[Import]:
    return [
        one for name, path in modules.items() for one in _imports(name, path, (repo / path).read_text("utf-8"), modules)
    ]


def _imports(module: str, path: str, text: str, modules: Dict[str, str]) -> Iterator[Import]:
    package = module if path.endswith("__init__.py") else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(text)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            start = ".".join(above + ([node.module] if node.module else []))
            names = [f"{start}.{alias.name}" for alias in node.names]
            names = [name if name in modules else start for name in names]
        for name in names:
            if name in modules and name != module:
                yield Import(module, name, f"{path}:{node.lineno}")


def _floor(module: str) -> int:
    for name in [module.rsplit(".", cut)[0] for cut in range(module.count(".") + 1)]:
        for number, floor in enumerate(FLOORS):
            if name in floor:
                return number
    raise AssertionError(f"{module} stands on no floor")


def test_every_module_stands_on_a_floor_of_its_own_name(modules):
    """A new package says where it stands, and does not come in under the package that holds it."""
    for module in modules:
        if module.count(".") and module.startswith("swcm_fairseq."):
            assert FLOORS[_floor(module)] != ["swcm_fairseq"], f"{module} stands on no floor"


def test_every_module_imports_from_its_floor_or_below(imports):
    offences = [
        f"{one.place}: {one.module} imports {one.imported}"
        for one in imports
        if _floor(one.imported) > _floor(one.module)
    ]
    assert not offences, "\n".join(offences)


def test_no_modules_import_each_other_in_a_circle(modules, imports):
    # A package's own file is run before its modules; that it imports them is no circle.
    below = {module: {} for module in modules}
    for one in imports:
        if not one.imported.startswith(one.module + "."):
            below[one.module][one.imported] = one.place
    while True:  # take away what imports nothing that is left, and what nothing that is left imports
        imported = {name for found in below.values() for name in found if name in below}
        ended = [module for module, found in below.items() if module not in imported or not set(found) & set(below)]
        if not ended:
            break
        for module in ended:
            del below[module]
    assert not below, "\n".join(
        f"{place}: {module} imports {name}"
        for module, found in below.items()
        for name, place in found.items()
        if name in below
    )


def test_the_imports_are_seen(imports, modules):
    """Late ones too, relative ones and those of a module by its package."""
    assert len(modules) > 150 and len(imports) > 400
    seen = {(one.module, one.imported) for one in imports}
    assert ("swcm_fairseq.scoring.command", "swcm_fairseq.scoring.report") in seen
    assert ("swcm_fairseq.tasks", "swcm_fairseq.plugin") in seen
    assert ("swcm_preprocess.grown_files", "swcm_fairseq.decoding.packed") in seen
