import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from cosee.methods.cosee import Cosee
from cosee.training.checkpoints import Checkpoints
from cosee.training.resume import read_state, save_state
from cosee.training.schedule import Schedule

POSITION = {"epoch": 1, "batch": 7, "stage": 0, "seconds": 12.5}
CHECKPOINTS = Checkpoints(
    {"patience": 0.1 + 0.2, "pcee": 0.5},
    {"patience": 0, "pcee": 2},
    {0: {"weight": torch.arange(3.0)}, 2: {"weight": torch.ones(3), "exits/bias": torch.zeros(2)}},
)
ROWS = [{"step": 1, "loss": 1 / 3}, {"step": 2, "loss": 1e-17, "sel_accuracy_1": 0.5}]


def make_run(seed=0, steps=0):
    """A model, its optimizer after some steps, and an objective."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
        optimizer = torch.optim.AdamW(
            [{"params": model[0].parameters()}, {"params": model[1:].parameters(), "weight_decay": 0.0}], fused=True
        )
        for _ in range(steps):
            model(torch.randn(5, 3)).pow(2).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    objective = Cosee().objective(Schedule(5, 2), seed, torch.device("cpu"))
    objective.range = torch.tensor([0.1, 0.2]) + steps
    return model, optimizer, objective


def save(path, fingerprint="run", checkpoints=CHECKPOINTS):
    run = make_run(steps=3)
    save_state(path, fingerprint, *run, POSITION, ROWS, checkpoints)
    return run


def test_everything_comes_back(tmp_path):
    model, optimizer, objective = save(tmp_path / "state.safetensors")
    drawn = torch.rand(4)
    other_model, other_optimizer, other_objective = make_run(seed=1)
    state = read_state(tmp_path / "state.safetensors", "run")
    state.restore(other_model, other_optimizer, other_objective)
    assert state.position == POSITION and state.rows == ROWS  # floats exactly
    assert state.checkpoints.score == CHECKPOINTS.score and state.checkpoints.epoch == CHECKPOINTS.epoch
    assert state.checkpoints.weights.keys() == CHECKPOINTS.weights.keys()
    for epoch, weights in CHECKPOINTS.weights.items():
        assert state.checkpoints.weights[epoch].keys() == weights.keys()
        assert all(torch.equal(value, state.checkpoints.weights[epoch][name]) for name, value in weights.items())
    assert torch.equal(torch.rand(4), drawn)
    assert all(torch.equal(value, other_model.state_dict()[name]) for name, value in model.state_dict().items())
    assert torch.equal(other_objective.range, objective.range) and torch.equal(other_objective.seen, objective.seen)
    mine, theirs = optimizer.state_dict(), other_optimizer.state_dict()
    assert mine["param_groups"] == theirs["param_groups"]
    assert len(mine["state"]) == 6
    for index, entry in mine["state"].items():
        assert entry.keys() == {"step", "exp_avg", "exp_avg_sq"}
        assert all(torch.equal(value, theirs["state"][index][name]) for name, value in entry.items())


def test_both_resume_with_the_same_steps(tmp_path):
    model, optimizer, _ = save(tmp_path / "state.safetensors")
    other_model, other_optimizer, objective = make_run(seed=1)
    read_state(tmp_path / "state.safetensors", "run").restore(other_model, other_optimizer, objective)
    inputs = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    for one, optimize in ((model, optimizer), (other_model, other_optimizer)):
        one(inputs).pow(2).sum().backward()
        optimize.step()
    assert torch.equal(model[0].weight, other_model[0].weight) and torch.equal(model[2].bias, other_model[2].bias)


@pytest.mark.parametrize("case", ["no file", "another run", "truncated", "empty", "no state"])
def test_without_a_usable_state_there_is_none(case, tmp_path):
    path = tmp_path / "state.safetensors"
    if case != "no file":
        save(path, "another" if case == "another run" else "run")
    if case == "truncated":
        path.write_bytes(path.read_bytes()[:-10])
    if case == "empty":
        path.write_bytes(b"")
    if case == "no state":
        save_file({"weight": torch.ones(2)}, path)
    assert read_state(path, "run") is None


def test_before_the_first_checkpoint_there_are_no_best_weights(tmp_path):
    save(tmp_path / "state.safetensors", checkpoints=Checkpoints())
    assert read_state(tmp_path / "state.safetensors", "run").checkpoints == Checkpoints()


def test_the_state_is_one_file_without_pickle(tmp_path):
    save(tmp_path / "state.safetensors")
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.safetensors"]
    with safe_open(tmp_path / "state.safetensors", framework="pt") as file:
        assert file.metadata().keys() == {"fingerprint", "position", "checkpoints"}
        groups = {key.partition("/")[0] for key in file.keys()}  # noqa: SIM118
        assert groups == {"model", "best", "optimizer", "objective", "random", "history"}


def test_the_history_of_a_long_run_has_room(tmp_path):
    model, optimizer, objective = make_run(steps=1)
    rows = [{"step": 1, "note": "x" * 120_000_000}]  # more than a header of safetensors may hold
    save_state(tmp_path / "state", "run", model, optimizer, objective, POSITION, rows, Checkpoints())
    assert read_state(tmp_path / "state", "run").rows == rows
