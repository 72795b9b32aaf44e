"""Pre-training of the mini encoders: what is known after every layer, asked of every layer.

The heads that are asked (`Readers`) are thrown away afterwards, except the pooler, which every exit of a fine-tuned
model shares. First one layer is trained that is applied four times, then the same more often: this is mini-ALBERT.
Then each of twelve copies is trained on its own: this is mini-BERT. The batch of a step depends on seed and step
alone, so that a run that was stopped is resumed from its weights and moments.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import BertModel

from cosee.io import whole_file
from cosee.seeds import numpy_generator
from cosee.synthetic.steps.encoder import HIDDEN, PLACE, WORD, Form, first_encoder, with_own_weights
from cosee.synthetic.steps.generation import pretraining_examples
from cosee.synthetic.steps.targets import NEVER, NUM_RELATIONS, NUM_VALUES, Targets, batch_targets

log = logging.getLogger(__name__)
KEPT = WORD + PLACE


@dataclass(frozen=True)
class Stage:
    """A part of pre-training.

    Attributes:
        name: of the stage.
        layers: how many layers are applied.
        most_steps: examples are asked for so many steps at most; their texts have longer chains as well.
        shared: whether they share their weights.
        steps: optimizer steps.
        learning_rate: at the beginning, after a warm-up.
        final_rate: at the end; it falls linearly.
    """

    name: str
    layers: int
    most_steps: int
    shared: bool
    steps: int
    learning_rate: float
    final_rate: float

    def rate(self, step: int) -> float:
        """Learning rate of a step, 0-based."""
        warm = min(1.0, (step + 1) / WARMUP)
        return warm * (self.learning_rate + (self.final_rate - self.learning_rate) * step / self.steps)


STAGES = (
    Stage("shared-4", layers=4, most_steps=2, shared=True, steps=900, learning_rate=3e-3, final_rate=2e-3),
    Stage("shared-8", layers=8, most_steps=4, shared=True, steps=250, learning_rate=2e-3, final_rate=1.5e-3),
    Stage("shared-12", layers=12, most_steps=6, shared=True, steps=350, learning_rate=1.5e-3, final_rate=1e-4),
    Stage("shared-12-again", layers=12, most_steps=6, shared=True, steps=500, learning_rate=1.5e-3, final_rate=1e-4),
    Stage("own", layers=12, most_steps=6, shared=False, steps=250, learning_rate=5e-4, final_rate=2e-5),
)
"""The recipe of the shipped encoders; the second last stage ends with mini-ALBERT, the last with mini-BERT."""
BATCH_SIZE = 32
WEIGHTS = {"relation": 3.0}
"""Weights of losses that are not 1."""
WARMUP = 50  # steps
CLIP = 1.0  # largest gradient norm
REPORT = 100  # steps


def shortened(stage: Stage, share: float) -> Stage:
    """A stage of fewer steps, at least one."""
    return replace(stage, steps=max(1, round(share * stage.steps)))


class Readers(nn.Module):
    """The questions: the value at a word; at [CLS] the word that is asked about, the value named, and the relation."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.value, self.asked = nn.Linear(HIDDEN, NUM_VALUES), nn.Linear(HIDDEN, vocab_size)
        self.claim = nn.Linear(HIDDEN, NUM_VALUES)
        self.relation = nn.Linear(HIDDEN, NUM_RELATIONS)


def states_of_layers(encoder: BertModel, layers: int, ids: Tensor, types: Tensor) -> tuple[Tensor, Tensor]:
    """States of layer 0 [B, T, H], and of every further layer [L, B, T, H]; one layer is applied again and again."""
    stack = encoder.encoder.layer
    mask = (ids != encoder.config.pad_token_id)[:, None, None, :]
    states = [encoder.embeddings(input_ids=ids, token_type_ids=types)]
    for index in range(layers):
        states.append(stack[index % len(stack)](states[-1], None if mask.all() else mask))
    return states[0], torch.stack(states[1:])


def taught_losses(encoder: BertModel, readers: Readers, layers: int, batch: Targets) -> dict[str, Tensor]:
    """Mean losses over layers: `value`, `value_at_cls`, `asked`, `claim`, `relation` (from the pooler), and `kept`.

    `kept` is the mean squared change of the parts of a state that hold the word and its place, except at [CLS]; without
    it they are lost after a few layers, and with them what attention looks by.
    """
    ids, types, value, since = (torch.from_numpy(array) for array in (batch.ids, batch.types, batch.value, batch.since))
    first, states = states_of_layers(encoder, layers, ids, types)
    layer = torch.arange(1, layers + 1)[:, None]
    place = since < NEVER
    known = torch.where(since[place] <= layer, value[place], 0)
    logits, at_cls = readers.value(states[:, place]), place.nonzero()[:, 1] == 0
    cls = states[:, :, 0]
    relation_since = torch.from_numpy(batch.relation_since)
    relation = torch.where(relation_since <= layer, torch.from_numpy(batch.relation), 0)
    asked, claim = (torch.from_numpy(array).expand(layers, -1) for array in (batch.asked, batch.claim))
    return {
        "value": _entropy(logits, known),
        "value_at_cls": _entropy(logits[:, at_cls], known[:, at_cls]),
        "asked": _entropy(readers.asked(cls), asked),
        "claim": _entropy(readers.claim(cls), claim),
        "relation": _entropy(readers.relation(encoder.pooler.dense(cls).tanh()), relation),
        "kept": (states[:, :, 1:, :KEPT] - first[:, 1:, :KEPT]).square().mean(),
    }


def _entropy(logits: Tensor, classes: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits.flatten(0, 1), classes.flatten())


def teach(
    stages: Sequence[Stage],
    form: Form,
    vocabulary: Mapping[str, int],
    *,
    seed: int,
    batch_size: int = BATCH_SIZE,
    state_file: Path,
    finished: Callable[[Stage, BertModel, list[dict[str, Any]]], None],
    save_minutes: float = 2.0,
) -> list[dict[str, Any]]:
    """Train through all stages, resuming from `state_file` if it is there.

    Args:
        stages: in order; once weights are not shared, they stay so.
        form: sizes and special tokens.
        vocabulary: word -> id.
        seed: of weights and examples.
        batch_size: examples per step.
        state_file: where weights, moments and losses are kept every few minutes.
        finished: called at the end of each stage with it, the encoder and the losses so far.
        save_minutes: time between two saves.

    Returns:
        The mean losses of every hundred steps, with `stage`, `step` and `seconds`.
    """
    with torch.random.fork_rng(devices=[]):  # readers are drawn from the global generator
        torch.manual_seed(seed)
        readers = Readers(form.vocab_size)
    encoder, saved = first_encoder(form, seed), _Saved.read(state_file)
    history, before = ([], 0.0) if saved is None else (list(saved.history), saved.seconds)
    began = monotonic() - before
    for number, stage in enumerate(stages):
        if saved is not None and number < saved.stage:
            continue
        resumed = saved if saved is not None and number == saved.stage else None
        if resumed is not None and resumed.shared:  # weights from the end of a stage, or from the middle of one
            resumed.restore(nn.ModuleDict({"encoder": encoder, "readers": readers}))
        if not stage.shared and len(encoder.encoder.layer) == 1:
            encoder = with_own_weights(encoder, form, stage.layers)
        model = nn.ModuleDict({"encoder": encoder, "readers": readers})
        if resumed is not None and not resumed.shared:
            resumed.restore(model)
        optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01, fused=True)
        if resumed is not None and resumed.step:
            resumed.restore_optimizer(optimizer)
        run = _Run(stage, number, model, optimizer, history, began, state_file, save_minutes)
        for step in range(resumed.step if resumed is not None else 0, stage.steps):
            rng = numpy_generator(seed, "pretraining", stage.name, step)
            examples = pretraining_examples(rng, batch_size, stage.most_steps)
            batch = batch_targets(examples, vocabulary, form.cls, form.sep, form.pad)
            run.learn(step, taught_losses(encoder, readers, stage.layers, batch))
        finished(stage, encoder, history)
        run.save(number + 1, 0)
    return history


@dataclass
class _Run:
    """A stage in progress."""

    stage: Stage
    number: int
    model: nn.ModuleDict
    optimizer: torch.optim.AdamW
    history: list[dict[str, Any]]
    began: float
    state_file: Path
    save_minutes: float
    sums: dict[str, float] = field(default_factory=dict)
    count: int = 0
    saved_at: float = field(default_factory=monotonic)

    def learn(self, step: int, losses: Mapping[str, Tensor]) -> None:
        """One optimizer step; reports, and saves when it is time."""
        sum(WEIGHTS.get(name, 1.0) * loss for name, loss in losses.items()).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.param_groups[0]["lr"] = self.stage.rate(step)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.sums = {name: self.sums.get(name, 0.0) + loss.item() for name, loss in losses.items()}
        self.count += 1
        if (step + 1) % REPORT == 0 or step + 1 == self.stage.steps:
            means = {name: round(total / self.count, 4) for name, total in self.sums.items()}
            at = {"stage": self.stage.name, "step": step + 1, "seconds": round(monotonic() - self.began)}
            self.history.append(at | means)
            log.info("%s", json.dumps(self.history[-1]))
            self.sums, self.count = {}, 0
            if monotonic() - self.saved_at > 60 * self.save_minutes and step + 1 < self.stage.steps:
                self.save(self.number, step + 1)
                self.saved_at = monotonic()

    def save(self, stage: int, step: int) -> None:
        """Write what the run is resumed from."""
        tensors = {f"model/{name}": value for name, value in self.model.state_dict().items()}
        if step:
            for index, moments in self.optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer/{index}/{name}": value for name, value in moments.items()}
        facts = {"stage": stage, "step": step, "shared": len(self.model["encoder"].encoder.layer) == 1}
        facts |= {"seconds": monotonic() - self.began, "history": self.history}
        with whole_file(self.state_file) as temporary:
            save_file({name: value.clone() for name, value in tensors.items()}, temporary, {"facts": json.dumps(facts)})


@dataclass(frozen=True)
class _Saved:
    """What a run is resumed from: the next step of a stage, whether layers share their weights then, and tensors."""

    stage: int
    step: int
    shared: bool
    seconds: float
    history: list[dict[str, Any]]
    tensors: Mapping[str, Tensor]

    @classmethod
    def read(cls, path: Path) -> "_Saved | None":
        if not path.is_file():
            return None
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["facts"])
            return cls(**facts, tensors={name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118

    def restore(self, model: nn.Module) -> None:
        """Load the weights."""
        start = "model/"
        model.load_state_dict({k.removeprefix(start): v for k, v in self.tensors.items() if k.startswith(start)})

    def restore_optimizer(self, optimizer: torch.optim.AdamW) -> None:
        """Load the moments."""
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in self.tensors.items():
            kind, _, rest = name.partition("/")
            if kind == "optimizer":
                index, _, moment = rest.partition("/")
                state.setdefault(int(index), {})[moment] = tensor
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
