"""Settings of the process, and the device, of a training run."""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import torch

from cosee.errors import InputError
from cosee.provenance import has_nvidia_driver
from cosee.runs.ownership import owned

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


@contextmanager
def placed_device(places: Path | None = None) -> Iterator[torch.device]:
    """The device of one of several trainings on this machine: as long as the block lasts, others prefer other GPUs.

    The first training on each visible GPU is alone on it, the next ones are the second there, and so on. What a
    scheduler hides is not used; one visible GPU is shared by all.

    Args:
        places: folder of the places that are taken; None: one of this user in the folder for temporary files.
    """
    device = default_device()
    names = visible_gpus() if device.type == "cuda" else []
    if len(names) < 2:
        yield device
        return
    places = places or Path(tempfile.gettempdir()) / f"cosee-gpus-{os.getuid()}"
    with ExitStack() as stack:
        for turn, (index, name) in ((turn, gpu) for turn in count() for gpu in enumerate(names)):
            try:
                stack.enter_context(owned(places / f"{name}-{turn}".replace("/", "_")))
            except InputError:  # taken
                continue
            torch.cuda.set_device(index)
            yield torch.device("cuda", index)
            return


def visible_gpus() -> list[str]:
    """Names of the GPUs that this process sees, in the order of their numbers in torch; the same in every process."""
    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    number = torch.cuda.device_count()
    return named[:number] if named else [str(index) for index in range(number)]
