"""The process and the device that a training gets."""

import logging
import os

import torch

from cosee.provenance import has_nvidia_driver

log = logging.getLogger(__name__)


def configure_torch(threads: int) -> None:
    """Set up the process: deterministic cuBLAS, and Snakemake's share of the cores instead of all of them.

    Of the kernels for attention on a GPU cuDNN's are left out: they are planned anew for every shape of a batch, and
    here shapes change with every batch.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read by cuBLAS at its first use
    torch.backends.cuda.enable_cudnn_sdp(False)
    torch.set_num_threads(threads)


def default_device() -> torch.device:
    """The GPU where torch sees one, else the CPU; a driver without a GPU that torch can use is worth a warning."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if has_nvidia_driver():
        log.warning("there is a GPU's driver, but torch %s sees no GPU: the CPU computes", torch.__version__)
    return torch.device("cpu")
