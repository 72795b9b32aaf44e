"""Set-up of every test: no network, no display, one thread, the same random examples on every run."""

import os
import subprocess
from threading import Thread
from time import monotonic, sleep

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


def pytest_configure(config):
    """Hide GPUs from all tests but those marked `gpu`: many compare results to the last bit, also between processes."""
    if config.getoption("markexpr") != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.fixture
def gpu():
    """The GPU."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    return torch.device("cuda")


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """Folder of a tiny BERT."""
    from helpers.tiny import write_backbone  # torch is not imported for tests that do without it

    return write_backbone(tmp_path_factory.mktemp("backbones") / "bert", "bert")


@pytest.fixture(scope="session")
def tiny_albert(tmp_path_factory):
    """Folder of a tiny ALBERT."""
    from helpers.tiny import write_backbone

    return write_backbone(tmp_path_factory.mktemp("backbones") / "albert", "albert")


@pytest.fixture(scope="session")
def tiny_mpnet(tmp_path_factory):
    """Folder of a tiny MPNet."""
    from helpers.tiny import write_backbone

    return write_backbone(tmp_path_factory.mktemp("backbones") / "mpnet", "mpnet")


@pytest.fixture(scope="session")
def tiny_bert_fresh(tmp_path_factory):
    """Folder of a tiny BERT whose pooler is drawn for every run."""
    from helpers.tiny import write_backbone

    return write_backbone(tmp_path_factory.mktemp("backbones") / "bert-fresh", "bert", pooler="fresh")


@pytest.fixture(scope="session")
def tiny_mpnet_norm(tmp_path_factory):
    """Folder of a tiny MPNet without a pooler, whose exits read the standardized mean over all tokens."""
    from helpers.tiny import write_backbone

    folder = tmp_path_factory.mktemp("backbones") / "mpnet-norm"
    return write_backbone(folder, "mpnet", pooler="norm", exit_state="mean")


@pytest.fixture(scope="session")
def tiny_bert_mean(tmp_path_factory):
    """Folder of a tiny BERT whose exits read the mean over all tokens."""
    from helpers.tiny import write_backbone

    return write_backbone(tmp_path_factory.mktemp("backbones") / "bert-mean", "bert", exit_state="mean")


@pytest.fixture(scope="session")
def tiny_albert_groups(tmp_path_factory):
    """Folder of a tiny ALBERT with two groups of layers."""
    from helpers.tiny import write_backbone

    return write_backbone(tmp_path_factory.mktemp("backbones") / "albert-groups", "albert", num_hidden_groups=2)


@pytest.fixture
def mini():
    """The mini preset as it is read, to be changed."""
    from helpers.presets import read

    return read("config")


@pytest.fixture
def config():
    """The mini preset."""
    from helpers.presets import preset

    return preset("config")


@pytest.fixture
def own_search(mini):
    """The mini preset with one grid search, of COSEE's, by signal, to be changed."""
    from helpers.presets import with_own_search

    return with_own_search(mini)


@pytest.fixture(scope="session", autouse=True)
def pipeline(request, tmp_path_factory):
    """Folder of the reduced pipeline, if any test needs it (`built`): it runs beside the tests that do not.

    Of several test processes the first one starts it, and lives until it has ended.
    """
    if not any("built" in item.fixturenames for item in request.session.items):
        yield None
        return
    from helpers.pipeline import PROJECT, arguments

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "pipeline"
    try:
        folder.mkdir()
    except FileExistsError:
        yield folder
        return
    with (
        open(folder / "printed.txt", "w") as printed,
        subprocess.Popen(arguments(folder, "all", "cost"), stdout=printed, stderr=printed, cwd=PROJECT) as process,
    ):
        Thread(target=lambda: (folder / "ended.txt").write_text(str(process.wait())), daemon=True).start()
        yield folder
        if request.session.shouldstop or request.session.shouldfail:
            process.terminate()


@pytest.fixture(scope="session")
def built(pipeline):
    """A folder in which the reduced pipeline has been run from nothing; what it printed is in `printed.txt`."""
    ended, deadline = pipeline / "ended.txt", monotonic() + 1800
    while not (status := ended.read_text() if ended.exists() else ""):
        assert monotonic() < deadline
        sleep(0.2)
    assert status == "0", (pipeline / "printed.txt").read_text()[-6000:]
    return pipeline
