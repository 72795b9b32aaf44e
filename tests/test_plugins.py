"""Registries that installed packages extend; packages are folders with metadata, as pip leaves them."""

import subprocess
import sys
from pathlib import Path

import pytest

from cosee.errors import InputError
from cosee.exiting.rules import RULES, Rule
from cosee.exiting.signals import SIGNALS, Signal
from cosee.plugins import Registry, installed_plugins, instance_of, reference, subclass_of, with_plugins

ROOT = Path(__file__).resolve().parents[1]
CODE = """
from cosee.data.tasks import Task
from cosee.exiting.rules import RULES, Rule
from cosee.exiting.signals import SIGNALS, Signal

top = Signal("top", "largest logit", lambda logits: logits.max(-1), "smaller", lambda num_classes: (-9.0, 9.0))
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """What installs a package with a module `<name>_code` and entry points, for this test."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name, groups, version="1.0", code=CODE):
        metadata = tmp_path / f"{name}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = [f"[cosee.{group}]\n" + "".join(f"{entry}\n" for entry in entries) for group, entries in groups.items()]
        (metadata / "entry_points.txt").write_text("\n".join(lines))
        (tmp_path / f"{name}_code.py").write_text(code)
        return tmp_path

    yield make
    for path in tmp_path.glob("*_code.py"):
        sys.modules.pop(path.stem, None)


def signals():
    """A registry like `SIGNALS`, which has not been asked yet."""
    return Registry("exit signal", SIGNALS.own, {"cosee.signals": instance_of(Signal)})


def message_of(call):
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def test_names_of_packages_follow_the_own_ones(install):
    install("outer", {"signals": ["top = outer_code:top"]})
    registry = signals()
    assert list(registry) == [*SIGNALS.own, "top"] and len(registry) == len(SIGNALS.own) + 1 and "top" in registry
    assert registry.origin("top") == "outer 1.0" and registry.origin("energy") is None
    assert "outer_code" not in sys.modules  # names are metadata
    assert registry["top"].label == "largest logit" and registry["top"] is registry["top"]
    assert registry["energy"] is SIGNALS["energy"]
    with pytest.raises(KeyError):
        registry["bottom"]


def test_without_packages_a_registry_has_the_own_things():
    assert dict(signals()) == SIGNALS.own and "top" not in signals()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("top = outer_code:none", "AttributeError: module 'outer_code' has no attribute 'none'"),
        ("top = nowhere:top", "ModuleNotFoundError: No module named 'nowhere'"),
    ],
)
def test_a_package_that_cannot_be_loaded_is_named(install, entry, message):
    install("outer", {"signals": [entry]})
    target = entry.partition(" = ")[2]
    assert message_of(lambda: signals()["top"]) == (
        f"exit signal top: {target} of the package outer 1.0 cannot be loaded ({message}); repair the package, or "
        "uninstall it."
    )
    assert signals()["energy"] is SIGNALS["energy"]  # nobody asks for the other


def test_whatever_the_import_of_a_package_raises_is_one_sentence(install):
    install("outer", {"signals": ["top = outer_code:top"]}, code="raise RuntimeError('two\\nlines')")
    assert "cannot be loaded (RuntimeError: two); repair" in message_of(lambda: signals()["top"])


def test_a_name_that_cosee_has_is_refused_whoever_is_asked_for(install):
    install("outer", {"signals": ["energy = outer_code:top"]})
    for ask in (lambda r: r["energy"], lambda r: r["softmax"], list, len, lambda r: "entropy" in r or "top" in r):
        assert message_of(lambda ask=ask: ask(signals())) == (
            "exit signal energy: the package outer 1.0 adds it, but the name is taken by cosee itself; uninstall the "
            "package, or rename it there."
        )


def test_a_name_that_two_packages_add_is_refused(install):
    install("outer", {"signals": ["top = outer_code:top"]})
    install("another", {"signals": ["top = another_code:top"]}, version="2.5")
    assert message_of(lambda: list(signals())) == (
        "exit signal top: the packages another 2.5 and outer 1.0 both add it; uninstall one of them."
    )


def test_names_that_no_file_could_have_are_refused(install):
    install("outer", {"signals": ["a/b = outer_code:top"]})
    message = message_of(lambda: list(signals()))
    assert message == "exit signal a/b: the package outer 1.0 adds it; expected a name of a-z, 0-9, _ and - alone."


def test_things_of_another_type_or_name_are_refused(install):
    entries = ["top = outer_code:Signal", "high = outer_code:top"]
    install("outer", {"signals": entries, "adapters": ["top = outer_code:top"]})
    registry = signals()
    assert "is something else; expected an object of the type Signal." in message_of(lambda: registry["top"])
    assert "expected one named 'high', not 'top'." in message_of(lambda: registry["high"])
    adapters = Registry("adapter", {}, {"cosee.adapters": subclass_of(Rule)})
    assert "expected a subclass of Rule." in message_of(lambda: adapters["top"])


def test_a_reference_is_not_imported(install):
    install("outer", {"methods": ["own = outer_code:Own"]})
    methods = Registry("method", {}, {"cosee.methods": reference})
    assert dict(methods) == {"own": "outer_code:Own"} and "outer_code" not in sys.modules
    assert "has no attribute 'Own'" in message_of(lambda: methods.load("own", subclass_of(Rule)))


def test_what_is_added_in_this_process_is_like_the_own():
    registry = Registry("method", {"one": "a:A"}, {})
    registry.add("two", "b:B")
    registry.add("two", "b:B")
    assert dict(registry) == {"one": "a:A", "two": "b:B"} and registry.origin("two") is None
    assert message_of(lambda: registry.add("one", "b:B")) == "method one: the name is taken by a:A; choose another."


def test_a_signal_of_a_package_is_a_rule_too(install):
    install("outer", {"signals": ["top = outer_code:top"]})
    code = "from cosee.methods import rule_named; from cosee.exiting.rules import RULES; import numpy as np; "
    code += "rule = rule_named('top'); print(list(RULES)[-1], rule.label, rule.score(np.eye(3)[None], None).tolist())"
    assert run_python(code, sys.path[0]) == "top largest logit [[1.0, 1.0, 1.0]]\n"
    assert set(SIGNALS.own) <= set(RULES.own)


def test_what_is_installed_is_recorded_with_its_version(install):
    assert installed_plugins() == {}
    install("outer", {"signals": ["top = outer_code:top"], "methods": ["b = outer_code:B", "a = outer_code:A"]})
    install("another", {"tasks": ["t = another_code:T"]}, version="2.5")
    assert installed_plugins() == {
        "outer": {"version": "1.0", "methods": ["a", "b"], "signals": ["top"]},
        "another": {"version": "2.5", "tasks": ["t"]},
    }


def test_results_depend_on_the_packages_that_make_them_alone():
    assert with_plugins(7, None, None) == with_plugins(7) == 7
    assert with_plugins(7, "outer 1.0", None, "another 2.5", "outer 1.0") == "7, another 2.5, outer 1.0"


def run_python(code, folder):
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": f"{ROOT}:{folder}"}, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_command_line_refuses_a_clash_in_one_sentence(install):
    folder = install("outer", {"methods": ["cosee = outer_code:Own"]})
    code = "from cosee.cli import main; print(main(['train', '--help']))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": f"{ROOT}:{folder}"}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "2\n"
    (line,) = done.stderr.splitlines()
    assert line.startswith("cosee: error: method cosee: the package outer 1.0 adds it")


def test_a_configuration_knows_the_names_and_refuses_a_package_that_cannot_be_loaded(install):
    folder = install("outer", {"tasks": ["own = outer_code:TASK"], "signals": ["top = outer_code:top"]})
    code = """
from helpers.presets import read
from cosee.errors import InputError
from cosee.plan.checks import check
from cosee.plan.configuration import configuration
raw = read("config")
assert configuration(raw).experiments[2].tasks == ["rte", "mrpc", "qqp", "sst2", "qnli", "mnli"]
raw["signals"].append("top")
raw["experiments"][0] |= {"tasks": ["own"], "signals": ["energy", "top"]}
config = configuration(raw)
try:
    check(config)
except InputError as error:
    print(error)
raw["experiments"][0]["tasks"] = ["nowhere"]
try:
    configuration(raw)
except InputError as error:
    print(error)
"""
    refused, unknown = run_python(code, f"{ROOT / 'tests'}:{folder}").splitlines()
    assert refused.startswith("task own: outer_code:TASK of the package outer 1.0 cannot be loaded (AttributeError: ")
    assert unknown == (
        "config: experiments[0].tasks[0] is 'nowhere'; expected one of rte, mrpc, qqp, sst2, qnli, mnli, own."
    )
