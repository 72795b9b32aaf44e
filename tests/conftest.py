"""What holds for every test: no network, no display, one thread, the same examples on every run."""

import os

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
