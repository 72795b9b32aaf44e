"""Methods, exit rules, signals, tasks and adapters from installed packages, which declare them as entry points.

A package names in its pyproject.toml what it adds, by group: `cosee.methods`, `cosee.rules`, `cosee.signals`,
`cosee.tasks`, `cosee.adapters`. Once it is installed, configurations, workflow and command line know these names like
the project's own; docs/extending.md is the guide. Names are read from the metadata of packages; the code of a plug-in
is imported when a name of it is first used.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from cosee.errors import InputError

GROUPS = ("cosee.methods", "cosee.rules", "cosee.signals", "cosee.tasks", "cosee.adapters")
"""The groups of entry points that are read."""

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
"""Form of a plug-in's names, which become parts of file names."""

Value = TypeVar("Value")
Maker = Callable[[str, EntryPoint], Value]
"""Kind of thing (the first word of an error) and entry point -> what a registry holds."""


class Registry(Mapping[str, Value], Generic[Value]):
    """Things by name: the project's own in their order, then those of installed packages.

    Attributes:
        kind: what it holds, in the words of errors.
        own: the project's own things, and those that were added in this process.

    Every access raises `InputError` if a package adds a name that is taken, and access to a thing of a package if that
    cannot be loaded.
    """

    def __init__(self, kind: str, own: Mapping[str, Value], groups: Mapping[str, Maker[Value]]) -> None:
        """A registry of the project's own things and of those that entry points of some groups make."""
        self.kind, self.own, self._groups = kind, dict(own), dict(groups)
        self._made: dict[str, Value] = {}
        self._found: dict[str, EntryPoint] | None = None

    def __getitem__(self, name: str) -> Value:
        entry = self._entries().get(name)
        if entry is None:
            return self.own[name]
        if name not in self._made:
            self._made[name] = self._groups[entry.group](self.kind, entry)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*self.own, *self._entries()])

    def __len__(self) -> int:
        return len(self.own) + len(self._entries())

    def __contains__(self, name: object) -> bool:
        return name in self._entries() or name in self.own  # without loading it

    def add(self, name: str, value: Value) -> None:
        """Add a thing for the rest of this process.

        Raises:
            InputError: the name is taken by another one.
        """
        if self.get(name, value) != value:
            raise InputError(f"{self.kind} {name}: the name is taken by {self[name]}; choose another.")
        if name not in self:
            self.own[name] = value

    def load(self, name: str, make: Maker[Any]) -> Any:
        """What another maker makes of the entry point of a name, which a package must have added."""
        return make(self.kind, self._entries()[name])

    def origin(self, name: str) -> str | None:
        """Name and version of the package that adds a name; None for the project's own."""
        entry = self._entries().get(name)
        return None if entry is None else package_of(entry)

    def _entries(self) -> dict[str, EntryPoint]:
        """Entry points by name."""
        if self._found is not None:
            return self._found
        found: dict[str, EntryPoint] = {}
        for entry in (entry for group in self._groups for entry in declared(group)):
            where = f"{self.kind} {entry.name}: "
            if not NAME.fullmatch(entry.name):
                raise InputError(
                    f"{where}the package {package_of(entry)} adds it; expected a name of a-z, 0-9, _ and - alone."
                )
            if entry.name in self.own:
                raise InputError(
                    f"{where}the package {package_of(entry)} adds it, but the name is taken by cosee itself; uninstall "
                    "the package, or rename it there."
                )
            if entry.name in found:
                both = f"{package_of(found[entry.name])} and {package_of(entry)}"
                raise InputError(f"{where}the packages {both} both add it; uninstall one of them.")
            found[entry.name] = entry
        self._found = found
        return found


def declared(group: str) -> list[EntryPoint]:
    """Entry points of a group, by package and name."""
    return sorted(entry_points(group=group), key=lambda entry: (package_of(entry), entry.name))


def package_of(entry: EntryPoint) -> str:
    """Name and version of the package that declares an entry point."""
    return "unknown" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"


def installed_plugins() -> dict[str, dict[str, Any]]:
    """Package -> its version, and the names that it adds by kind ("methods", "rules", ...); nothing is imported."""
    found: dict[str, dict[str, Any]] = {}
    for group in GROUPS:
        for entry in declared(group):
            name, _, version = package_of(entry).partition(" ")
            facts = found.setdefault(name, {"version": version})
            facts.setdefault(group.removeprefix("cosee."), []).append(entry.name)
    return found


def with_plugins(numerics: int | str, *origins: str | None) -> int | str:
    """What results depend on besides settings: the version of the numerics, and the plug-ins that made them, if any."""
    packages = sorted({origin for origin in origins if origin is not None})
    return ", ".join([str(numerics), *packages]) if packages else numerics


def reference(kind: str, entry: EntryPoint) -> str:
    """The entry point's own reference "module:name", not imported."""
    return entry.value


def instance_of(expected: type[Value]) -> Maker[Value]:
    """Maker of objects of a type, each with the name under which it is declared."""

    def make(kind: str, entry: EntryPoint) -> Value:
        loaded = load(kind, entry)
        if not isinstance(loaded, expected):
            raise InputError(_unfit(kind, entry, f"an object of the type {expected.__name__}"))
        if loaded.name != entry.name:
            raise InputError(_unfit(kind, entry, f"one named {entry.name!r}, not {loaded.name!r}"))
        return loaded

    return make


def subclass_of(expected: type) -> Maker[Any]:
    """Maker of classes that inherit from a class."""

    def make(kind: str, entry: EntryPoint) -> type:
        loaded = load(kind, entry)
        if not (isinstance(loaded, type) and issubclass(loaded, expected)):
            raise InputError(_unfit(kind, entry, f"a subclass of {expected.__name__}"))
        return loaded

    return make


def load(kind: str, entry: EntryPoint) -> Any:
    """The object of an entry point.

    Raises:
        InputError: its module cannot be imported, or has no such object.
    """
    try:
        return entry.load()
    except Exception as error:  # whatever a foreign module raises
        reason = next(iter(str(error).strip().splitlines()), "no message")
        raise InputError(
            f"{kind} {entry.name}: {entry.value} of the package {package_of(entry)} cannot be loaded "
            f"({type(error).__name__}: {reason}); repair the package, or uninstall it."
        ) from error


def _unfit(kind: str, entry: EntryPoint, expected: str) -> str:
    place = f"{kind} {entry.name}: {entry.value} of the package {package_of(entry)}"
    return f"{place} is something else; expected {expected}."
