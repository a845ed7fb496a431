"""The mutants of a module, by cosmic-ray's operators (https://cosmic-ray.readthedocs.io)."""

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names


@dataclass(frozen=True)
class Mutant:
    """A module with one thing changed: the lines that were, and what they have become."""

    module: str
    operator: str
    source: str
    was: str
    becomes: str

    @property
    def stem(self) -> str:
        """The module's own name, by which the list of equivalent ones names it."""
        return self.module.rpartition(".")[2]


def mutants_of(path: Path, module: str) -> Iterator[Mutant]:
    """Every mutant of every operator that takes no arguments, but for those of annotations and parameter markers."""
    source = path.read_text(encoding="utf-8")
    nodes, working = list(ast_nodes(get_ast(source))), _working(source)
    for name in operator_names():
        if (kind := get_operator(name)).arguments():
            continue
        for occurrence in range(sum(1 for node in nodes for _ in kind().mutation_positions(node))):
            mutated = mutate_code(source, kind(), occurrence)
            if _working(mutated) not in (working, ""):
                yield Mutant(module, name.removeprefix("core/"), mutated, *_changed(source, mutated))


def _changed(before: str, after: str) -> tuple[str, str]:
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    was = (line[2:].strip() for line in lines if line.startswith("- "))
    return "\n".join(was), "\n".join(line[2:].strip() for line in lines if line.startswith("+ "))


def _working(source: str) -> str:
    """What runs of the source: equal for two that differ in annotations alone, empty for what is no Python."""
    try:
        return ast.dump(_WithoutTypes().visit(ast.parse(source)))
    except SyntaxError:
        return ""


class _WithoutTypes(ast.NodeTransformer):
    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        """One list: the markers `*` and `/` say who may be named, which no caller of ours gets wrong."""
        node.args = [*node.posonlyargs, *node.args, *node.kwonlyargs]
        node.posonlyargs, node.kwonlyargs, node.kw_defaults = [], [], []
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)
