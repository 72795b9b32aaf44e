"""Settings of the process, and the device, of a training run."""

import logging
import os

import torch

from cosee.provenance import has_nvidia_driver

log = logging.getLogger(__name__)


def configure_torch(threads: int) -> None:
    """Set up the process: deterministic cuBLAS, and Snakemake's share of the cores instead of all of them.

    cuDNN's attention kernels are disabled, because they are planned again for every new shape of a batch, and here
    shapes change with every batch.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read by cuBLAS at its first use
    torch.backends.cuda.enable_cudnn_sdp(False)
    torch.set_num_threads(threads)


def default_device() -> torch.device:
    """The GPU if torch can use one, else the CPU; logs a warning if there is an NVIDIA driver but no usable GPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if has_nvidia_driver():
        log.warning("NVIDIA driver found, but torch %s cannot use the GPU; running on the CPU.", torch.__version__)
    return torch.device("cpu")
