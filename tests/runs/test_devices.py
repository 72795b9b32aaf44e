"""Training stays on its device: tested without a GPU on torch's meta device, whose tensors have no values to read."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers.tiny import token_split
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cosee.data.batches import DeviceSplit
from cosee.methods import METHODS, consistentee, jeidnn, make_method
from cosee.models.loading import load_backbone
from cosee.models.prediction import Predicted
from cosee.training.optimizer import make_optimizer, update
from cosee.training.schedule import Schedule

META = torch.device("meta")
TOKENS = token_split(40)


class OneDevice(TorchDispatchMode):
    """Fails where an operation takes tensors of both host and device, unless it copies or the host's is a number."""

    copies = (torch.ops.aten._to_copy, torch.ops.aten.copy_)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        tensors = [leaf for leaf in tree_leaves((args, kwargs or {})) if isinstance(leaf, torch.Tensor)]
        devices = {tensor.device.type for tensor in tensors if tensor.dim() or tensor.device == META}
        if len(devices) > 1 and func.overloadpacket not in self.copies:
            raise AssertionError(f"{func} mixes {' and '.join(sorted(devices))}")
        return func(*args, **(kwargs or {}))


def test_mixing_devices_and_reading_values_fails():
    there = torch.empty(3, device=META)
    with pytest.raises(AssertionError, match="mixes cpu and meta"), OneDevice():
        there + torch.ones(3)
    with pytest.raises(RuntimeError, match="meta"), OneDevice():
        there.sum().item()
    with OneDevice():
        assert (there * torch.tensor(2.0) + torch.ones(3).to(META)).device == META


@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_where_its_model_is(name, tiny_bert, monkeypatch):
    for optimizer in ("Adam", "AdamW"):  # what is fused knows no meta device
        original = getattr(torch.optim, optimizer)
        monkeypatch.setattr(torch.optim, optimizer, lambda *a, _=original, **k: _(*a, **k | {"fused": False}))
    answers = Predicted(np.zeros((len(TOKENS), 4, 2), dtype=np.float32))
    for module in (consistentee, jeidnn):  # between stages, where values may be read
        monkeypatch.setattr(module, "predict", lambda *_, **__: answers)
    solved = torch.zeros(3, 4, device=META), torch.zeros(3, device=META)
    monkeypatch.setattr(jeidnn, "solve_gates", lambda *_: solved)

    method = make_method(name, {})
    model = method.build(load_backbone(tiny_bert), 2, 0).to(META).train()
    num_stages = len(method.stages())
    fit = DeviceSplit(TOKENS, META)
    schedule = Schedule(1, 2 if num_stages == 1 else max(4, num_stages), 1, method.stages())
    goal, stage = method.objective(schedule, 0, META), -1
    with OneDevice():
        for step in range(schedule.total_steps):
            if schedule.stage(step) != stage:
                stage = schedule.stage(step)
                for parameter_name, parameter in model.named_parameters():
                    parameter.requires_grad_(method.stages()[stage].trains(parameter_name))
                optimizer = make_optimizer(model, 0.01, 0.0)
                goal.begin_stage(stage, model, fit)
            loss, parts = goal(model, fit.batch(np.arange(step, step + 8)), step)
            loss.backward()
            update(optimizer, 0.01, 1.0)
            if (step + 1) % schedule.steps_per_epoch == 0:
                goal.end_epoch()
    assert stage == len(method.stages()) - 1
    assert {value.device for value in (loss, *parts.values())} == {META}


PLACE = """
import sys
from pathlib import Path
import torch
from cosee.runs import device
torch.cuda.is_available = lambda: True
torch.cuda.device_count = lambda: int(sys.argv[2])
torch.cuda.set_device = lambda index: print(index, flush=True)
with device.placed_device(Path(sys.argv[1])) as chosen:
    print(chosen, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def placed(tmp_path):
    """Starts a process in whose place another device is chosen; gives it and the name of its device."""
    running = []

    def start(visible, number):
        command = [sys.executable, "-c", PLACE, str(tmp_path / "places"), str(number)]
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": visible}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        running.append(subprocess.Popen(command, env=environment, text=True, **pipes))
        lines = [running[-1].stdout.readline().strip()]
        if number > 1:
            lines.append(running[-1].stdout.readline().strip())
            assert lines[1] == f"cuda:{lines[0]}"  # what torch takes for granted is what is given
        return running[-1], lines[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


def test_trainings_are_spread_over_the_gpus_that_they_see_and_a_place_is_free_after_its_end(placed):
    first, name = placed("0,1", 2)
    assert name == "cuda:0"
    assert placed("0,1", 2)[1] == "cuda:1"
    assert placed("1,0", 2)[1] == "cuda:0"  # all have one; the second on the GPU that is called 1, and comes first here
    assert placed("1,0", 2)[1] == "cuda:1"  # the second on the one that is called 0
    first.kill()
    first.wait()
    assert placed("0,1", 2)[1] == "cuda:0"


def test_one_gpu_is_shared_by_all(placed):
    assert [placed("3", 1)[1] for _ in range(2)] == ["cuda", "cuda"]
