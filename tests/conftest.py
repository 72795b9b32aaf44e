"""What holds for every test: no network, no display, one thread, the same examples on every run."""

import os
import signal
import subprocess

import pytest
from hypothesis import settings

# Before numpy, torch, transformers or matplotlib are imported, and handed on to the processes that tests start.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["MPLBACKEND"] = "Agg"
os.environ["OMP_NUM_THREADS"] = "1"  # the models are too small to share, and sums keep their order
os.environ["TOKENIZERS_PARALLELISM"] = "false"

# The verdict on a commit must not depend on luck or load; `--hypothesis-profile=default` searches for new examples.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """Folder of a tiny BERT."""
    from tiny import write_backbone  # torch is not imported for tests that do without it

    return write_backbone(tmp_path_factory.mktemp("backbones") / "bert", "bert")


@pytest.fixture(scope="session")
def tiny_albert(tmp_path_factory):
    """Folder of a tiny ALBERT."""
    from tiny import write_backbone

    return write_backbone(tmp_path_factory.mktemp("backbones") / "albert", "albert")


@pytest.fixture(scope="session")
def tiny_albert_groups(tmp_path_factory):
    """Folder of a tiny ALBERT with two groups of layers."""
    from tiny import write_backbone

    return write_backbone(tmp_path_factory.mktemp("backbones") / "albert-groups", "albert", num_hidden_groups=2)


@pytest.fixture
def config():
    """The mini preset."""
    from presets import read

    return read("config")


@pytest.fixture(scope="session", autouse=True)
def pipeline(request, tmp_path_factory):
    """The reduced pipeline and its folder, if any test needs it (`built`): it runs beside the tests that do not."""
    if not any("built" in item.fixturenames for item in request.session.items):
        yield None
        return
    from pipeline import PROJECT, arguments

    folder = tmp_path_factory.mktemp("pipeline")
    with (
        open(folder / "printed.txt", "w") as printed,
        subprocess.Popen(
            arguments(folder, "all"), stdout=printed, stderr=printed, start_new_session=True, cwd=PROJECT
        ) as process,
    ):
        yield process, folder
        if process.poll() is None:  # the tests were stopped early
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def built(pipeline):
    """A folder in which the reduced pipeline has been run from nothing; what it printed is in `printed.txt`."""
    process, folder = pipeline
    assert process.wait() == 0, (folder / "printed.txt").read_text()[-6000:]
    return folder
