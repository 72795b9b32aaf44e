"""One run from its description to its files: build, train, predict every split, write."""

import hashlib
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import pandas as pd
import torch
from tqdm import tqdm

from cosee import NUMERICS_VERSION
from cosee.data.batches import DeviceSplit
from cosee.data.cuts import SELECTION_SPLIT
from cosee.data.tasks import TASKS
from cosee.data.tokens import TokenSplit
from cosee.errors import DivergedError, InputError
from cosee.evaluation.curve_frames import criteria_of
from cosee.evaluation.outputs import exit_outputs, save_outputs
from cosee.evaluation.training_dynamics import swm_force_by_epoch
from cosee.io import read_json, write_frame, write_json
from cosee.methods import make_method, rule_named
from cosee.methods.base import Method
from cosee.models.loading import backbone_of_run
from cosee.models.multi_exit import MultiExitModel, count_parameters
from cosee.models.prediction import Predicted, nan_outputs, predict
from cosee.plan.runs import Run
from cosee.plugins import installed_plugins
from cosee.provenance import file_digest, git_commit, hardware, package_versions
from cosee.runs.ownership import Ownership, owned
from cosee.runs.weights import save_weights
from cosee.training.loop import train
from cosee.training.settings import TrainingSettings
from cosee.whole import remove_partials

log = logging.getLogger(__name__)

STATE = "state.safetensors"
"""State from which a killed run resumes; not a declared output, which Snakemake would delete before the next try."""


@dataclass(frozen=True)
class RunInputs:
    """What a run learns from and starts with.

    Attributes:
        tokens: token ids of every split of the task.
        backbone: encoder folder.
        num_layers: full depth of the backbone.
        pad_id: id of the padding token.
    """

    tokens: Mapping[str, TokenSplit]
    backbone: Path
    num_layers: int
    pad_id: int


def train_and_predict(
    run: Run,
    inputs: RunInputs,
    *,
    protocol: Mapping[str, Any],
    splits: list[str],
    keep_weights: bool,
    device: torch.device,
    folder: Path | None = None,
    wait: bool = False,
    state: Path | None = None,
) -> None:
    """Train a run and write its files into its folder: history.csv, run.json, model.safetensors, and outputs.

    The outputs are logits-<split>.npz, of the checkpoint of the run's own exit rule, and logits-<split>@<rule>.npz for
    each other rule that it serves, of that rule's checkpoint. The weights are those of the own rule.

    A run that is finished, as its own files say, is left as it is; one that was killed is resumed from its last saved
    state. A grid point that diverges is a result rather than a failure: its logits are NaN, so that it is not chosen,
    and run.json says why.

    Args:
        run: what to train.
        inputs: examples and encoder.
        protocol: the section `protocol` of the configuration.
        splits: splits to predict, among those of `inputs.tokens`.
        keep_weights: whether to write the trained weights.
        device: where to compute.
        folder: the run's folder; None: `run.folder`.
        wait: wait while another process trains this run, instead of an error.
        state: folder for the run's state and its owner's name; None: the run's folder.

    Raises:
        DivergedError: a run that is no grid point has diverged.
        InputError: another process trains this run (`cosee.runs.ownership`).
    """
    folder = folder or Path(run.folder)
    selection, criterion = SELECTION_SPLIT[protocol["name"]], protocol["criterion"]
    origin = run_origin(run, [inputs.tokens["fit"], inputs.tokens[selection]], inputs.backbone, criterion)
    names = [run.outputs_name(split, rule) for split in splits for rule in run.rules]
    names += ["model.safetensors"] if keep_weights else []
    if is_finished(folder, origin, names):
        log.info("%s is finished.", folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    with owned(state or folder, wait) as ownership:
        if is_finished(folder, origin, names):  # by the process that was waited for
            log.info("%s is finished.", folder)
            return
        for place in {folder, ownership.folder}:
            remove_partials(place)
        (folder / "run.json").unlink(missing_ok=True)  # of another training, whose files are now replaced
        _train_and_predict(run, inputs, selection, criterion, splits, keep_weights, device, folder, origin, ownership)


def _train_and_predict(
    run: Run,
    inputs: RunInputs,
    selection: str,
    criterion: str,
    splits: list[str],
    keep_weights: bool,
    device: torch.device,
    folder: Path,
    origin: str,
    ownership: Ownership,
) -> None:
    """Train a run and write its files into a folder that this process owns."""
    tokens, settings = inputs.tokens, TrainingSettings(**run.training)
    rules = [rule_named(name) for name in run.rules]
    shown = progress_of(str(folder))

    def progress(step: int, total: int, loss: float) -> None:
        ownership.check()
        shown(step, total, loss)

    # model and examples, on the device
    method = make_method(run.method, run.settings)
    model = method.build(backbone_of_run(inputs.backbone, run.seed), TASKS[run.task].num_classes, run.seed).to(device)
    on_device = {name: DeviceSplit(tokens[name], device, inputs.pad_id) for name in {"fit", selection, *splits}}

    # training
    selected_on: list[Predicted] = []  # of each epoch since the start or the resumption of the run

    def select(predicted: Predicted) -> dict[str, float]:
        selected_on.append(predicted)
        outputs = exit_outputs(model, predicted, tokens[selection], inputs.num_layers)
        return {rule.name: criteria_of(outputs, run.task, rule)[criterion] for rule in rules}

    began = perf_counter()
    try:
        history, training_facts, checkpoints = train(
            model,
            stages=method.stages(),
            objective=lambda schedule: method.objective(schedule, run.seed, device),
            fit=on_device["fit"],
            sel=on_device[selection],
            settings=settings,
            seed=run.seed,
            select=select,
            state_file=ownership.folder / STATE,
            fingerprint=f"{origin} {device.type}",
            progress=progress,
        )
    except DivergedError as error:
        if run.point is None:
            raise
        log.warning("%s: %s", folder, error)
        history = pd.DataFrame(columns=["step", "epoch", "lr", "loss"])
        training_facts = {"diverged": str(error), "seconds": perf_counter() - began}
        checkpoints = None

    ownership.check()
    # prediction, once per checkpoint; that of the run's own rule comes last, so that its weights stay
    began = perf_counter()
    by_epoch = {0: list(run.rules)} if checkpoints is None else checkpoints.rules_by_epoch()
    for epoch, served in sorted(by_epoch.items(), key=lambda each: run.rule in each[1]):
        if checkpoints is not None:
            model.load_state_dict(checkpoints.weights[epoch])
        for name in splits:
            if checkpoints is None:
                predicted = nan_outputs(len(tokens[name]), model)
            elif name == selection and epoch - settings.epochs >= -len(selected_on):
                predicted = selected_on[epoch - settings.epochs]  # the same weights, asked before
            else:
                predicted = predict(model, on_device[name], settings.eval_batch_size)
            outputs = exit_outputs(model, predicted, tokens[name], inputs.num_layers)
            for rule in served:
                save_outputs(folder / run.outputs_name(name, rule), outputs)
    prediction_seconds = perf_counter() - began

    # weights, history and, last, what says that the run is complete
    if keep_weights:
        save_weights(folder / "model.safetensors", model)
    write_frame(folder / "history.csv", history)
    if "beta" in history:
        training_facts["swm_force"] = swm_force_by_epoch(history).tolist()
    facts = _run_facts(run, method, model, tokens, selection, training_facts, prediction_seconds)
    write_json(folder / "run.json", facts | {"origin": origin})
    (ownership.folder / STATE).unlink(missing_ok=True)


def is_finished(folder: Path, origin: str, names: Iterable[str]) -> bool:
    """Whether a folder holds a finished run.

    Args:
        folder: the run's folder.
        origin: what the run comes from (`run_origin`).
        names: the files that it must have besides `history.csv` and `run.json`, which is written last.
    """
    if not all((folder / name).is_file() for name in ("run.json", "history.csv", *names)):
        return False
    try:
        return read_json(folder / "run.json").get("origin") == origin
    except InputError:  # damaged
        return False


def _run_facts(
    run: Run,
    method: Method,
    model: MultiExitModel,
    tokens: Mapping[str, TokenSplit],
    selection: str,
    training_facts: dict[str, Any],
    prediction_seconds: float,
) -> dict[str, Any]:
    """The content of run.json: what was asked for, what came of it, and on what hardware and software."""
    outcome = {name: value for name, value in training_facts.items() if name != "seconds"}
    return {
        "run": asdict(run),
        "fingerprint": run.fingerprint(),
        "method": asdict(method),
        "selection_split": selection,
        "rows": {name: len(split) for name, split in tokens.items()},
        "parameters": count_parameters(model),
        "stages": len(method.stages()),
        "seconds": {"training": training_facts["seconds"], "prediction": prediction_seconds},
        **outcome,
        "hardware": hardware(),
        "versions": package_versions(),
        "plugins": installed_plugins(),
        "commit": git_commit(Path(__file__).parent),
    }


def progress_of(name: str) -> Callable[[int, int, float], None]:
    """What says how far a training is: a bar on a terminal, plain lines in a log."""
    if not sys.stderr.isatty():
        return lambda step, total, loss: log.info("%s: step %d of %d, loss %.4f", name, step, total, loss)
    bar = tqdm(desc=name, unit="step")

    def show(step: int, total: int, loss: float) -> None:
        bar.total = total
        bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
        bar.update(step - bar.n)
        if step == total:
            bar.close()

    return show


def run_origin(run: Run, splits: list[TokenSplit], backbone: Path, criterion: str) -> str:
    """What the result of a run comes from, as a digest: two runs of one origin are the same.

    That is its settings, the examples, the encoder, the version of the numerics, and how checkpoints are compared.
    """
    encoder = [file_digest(backbone / name) for name in ("config.json", "model.safetensors")]
    digest = hashlib.sha256(f"{run.fingerprint()} {NUMERICS_VERSION} {encoder} {criterion}".encode())
    for split in splits:
        for array in (split.ids, split.offsets, split.labels):
            digest.update(array.tobytes())
    return digest.hexdigest()
