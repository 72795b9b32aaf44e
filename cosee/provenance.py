"""Provenance of numbers: versions, hardware and commit, recorded beside every run and in the manifest."""

import hashlib
import os
import platform
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cosee import NUMERICS_VERSION

PACKAGES = ("cosee", "torch", "transformers", "tokenizers", "datasets", "numpy", "pandas", "matplotlib", "snakemake")


def package_versions() -> dict[str, str]:
    """Versions of the packages that numbers depend on, without importing them."""
    versions = {"python": platform.python_version(), "numerics": str(NUMERICS_VERSION)}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def git_commit(folder: str | Path) -> str:
    """Commit of the checkout in `folder`, with `-dirty` if tracked files were changed; "unknown" outside a checkout."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def processor_name() -> str:
    """The processor's model name, as reported by the operating system."""
    with suppress(OSError):  # not Linux
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def has_nvidia_driver() -> bool:
    """Whether there seems to be a GPU that is not hidden: torch would know better, but takes seconds to import."""
    return Path("/proc/driver/nvidia/version").exists() and os.environ.get("CUDA_VISIBLE_DEVICES") != ""


def hardware() -> dict[str, Any]:
    """Processor, cores and, where torch is already loaded and sees one, the GPU."""
    import sys

    facts: dict[str, Any] = {"processor": processor_name(), "cores": os.cpu_count(), "system": platform.platform()}
    torch = sys.modules.get("torch")
    if torch is not None:
        facts["threads"] = torch.get_num_threads()
        facts["gpu"] = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return facts
