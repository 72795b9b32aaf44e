"""Several small trainings on one device: one after the other, or side by side in processes of their own.

A small model leaves a large GPU idle between its kernels; processes that share the device fill the gaps. The workflow
does the same with more than one slot of its resource `gpu`.
"""

from collections.abc import Sequence
from time import perf_counter

import pandas as pd
import torch
import torch.multiprocessing as processes
from torch.multiprocessing import Barrier

from cosee.bench.shapes import rows_for
from cosee.bench.training import Steps, full_batches, model_in_training, training_loss
from cosee.data.batches import DeviceSplit
from cosee.methods.cosee import Cosee

BATCH_SIZE = 32
EXAMPLES = 1024


def measure_shared(at_once: Sequence[int], steps: int, device: torch.device) -> pd.DataFrame:
    """Training steps per second of all trainings together, by their number.

    Args:
        at_once: numbers of trainings side by side; each is a process with a mini encoder of its own.
        steps: steps of each training.
        device: shared by all.

    Returns:
        A row per number: at_once, seconds (from a common start to the last end), steps_per_second, relative_speed
        (steps per second relative to the first row's).
    """
    context, rows = processes.get_context("spawn"), []
    for number in at_once:
        queue, start = context.Queue(), context.Barrier(number)
        workers = [context.Process(target=_train, args=(steps, str(device), start, queue)) for _ in range(number)]
        for worker in workers:
            worker.start()
        times = [queue.get(timeout=300) for _ in workers]
        for worker in workers:
            worker.join()
        seconds = max(end for _, end in times) - min(begin for begin, _ in times)
        rows.append({"at_once": number, "seconds": seconds, "steps_per_second": number * steps / seconds})
    table = pd.DataFrame(rows)
    return table.assign(relative_speed=table["steps_per_second"] / table["steps_per_second"].iloc[0])


def _train(steps: int, name: str, start: Barrier, queue: processes.Queue) -> None:
    """One training; its begin and end, on the clock that all processes share, go into the queue."""
    torch.set_num_threads(1)
    device, rows = torch.device(name), rows_for("mini", "sst2", EXAMPLES)
    model, batches = model_in_training("mini", Cosee(), device), full_batches(rows, BATCH_SIZE)
    order = (batches[number % len(batches)] for number in range(steps + 3))
    step = Steps(model, "fp32").step(training_loss(model, Cosee(), DeviceSplit(rows, device)), order)
    for _ in range(3):
        step()
    _synchronize(device)
    start.wait()
    begin = perf_counter()
    for _ in range(steps):
        step()
    _synchronize(device)
    queue.put((begin, perf_counter()))


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
