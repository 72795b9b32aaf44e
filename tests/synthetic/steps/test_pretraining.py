"""Pre-training: losses by their definition, learning, and resuming to the bit."""

import numpy as np
import pytest
import torch

from cosee.synthetic.steps import pretraining
from cosee.synthetic.steps.encoder import Form, first_encoder
from cosee.synthetic.steps.generation import pretraining_examples
from cosee.synthetic.steps.pretraining import KEPT, Readers, Stage, states_of_layers, taught_losses, teach
from cosee.synthetic.steps.targets import NEVER, batch_targets
from cosee.synthetic.steps.vocabulary import CLS, PAD, SEP, build_tokenizer

VOCABULARY = build_tokenizer().get_vocab()
FORM = Form(len(VOCABULARY), PAD, CLS, SEP)
STAGES = (
    Stage("shared", 2, 1, True, steps=6, learning_rate=3e-3, final_rate=1e-3),
    Stage("own", 3, 6, False, steps=4, learning_rate=1e-3, final_rate=0.0),
)


def made(count=6, seed=0):
    return batch_targets(pretraining_examples(np.random.default_rng(seed), count), VOCABULARY, CLS, SEP, PAD)


def test_losses_are_those_of_single_words_and_layers():
    encoder, readers, batch, layers = first_encoder(FORM, 0), Readers(FORM.vocab_size), made(), 3
    first, states = states_of_layers(encoder, layers, torch.from_numpy(batch.ids), torch.from_numpy(batch.types))
    terms = {name: [] for name in ("value", "value_at_cls", "asked", "claim", "relation", "kept")}

    def surprise(logits, answer):
        return -logits.log_softmax(dim=-1)[int(answer)].item()

    for layer in range(1, layers + 1):
        for row in range(len(batch.ids)):
            for place in range(batch.ids.shape[1]):
                state = states[layer - 1, row, place]
                if batch.since[row, place] != NEVER:
                    answer = batch.value[row, place] if layer >= batch.since[row, place] else 0
                    terms["value"].append(surprise(readers.value(state), answer))
                    if place == 0:
                        terms["value_at_cls"].append(terms["value"][-1])
                if place:
                    terms["kept"].append((state[:KEPT] - first[row, place, :KEPT]).square().mean().item())
            cls = states[layer - 1, row, 0]
            terms["asked"].append(surprise(readers.asked(cls), batch.asked[row]))
            terms["claim"].append(surprise(readers.claim(cls), batch.claim[row]))
            answer = batch.relation[row] if layer >= batch.relation_since[row] else 0
            terms["relation"].append(surprise(readers.relation(encoder.pooler.dense(cls).tanh()), answer))
    losses = taught_losses(encoder, readers, layers, batch)
    assert set(losses) == set(terms)
    for name, values in terms.items():
        assert losses[name].item() == pytest.approx(np.mean(values), rel=1e-4), name


def test_padding_changes_nothing():
    encoder = first_encoder(FORM, 0).eval()
    batch = made(8)
    short = int((batch.ids != PAD).sum(axis=1).argmin())
    length = int((batch.ids[short] != PAD).sum())
    ids, types = torch.from_numpy(batch.ids), torch.from_numpy(batch.types)
    _, padded = states_of_layers(encoder, 3, ids, types)
    _, alone = states_of_layers(encoder, 3, ids[short : short + 1, :length], types[short : short + 1, :length])
    torch.testing.assert_close(padded[:, short, :length], alone[:, 0], rtol=1e-4, atol=1e-4)


def taught(folder, stages=STAGES, stop=None, monkeypatch=None):
    """Encoders at the end of stages; `stop`: batches after which the process is killed."""
    ends, drawn = {}, []

    def finished(stage, encoder, history):
        ends[stage.name] = {name: weight.clone() for name, weight in encoder.state_dict().items()}

    def examples(rng, count, most_steps):
        drawn.append(count)
        if stop is not None and len(drawn) > stop:
            raise KeyboardInterrupt
        return pretraining_examples(rng, count, most_steps)

    monkeypatch.setattr(pretraining, "pretraining_examples", examples)
    monkeypatch.setattr(pretraining, "REPORT", 2)
    history = teach(
        stages,
        FORM,
        VOCABULARY,
        seed=0,
        batch_size=4,
        state_file=folder / "state.safetensors",
        finished=finished,
        save_minutes=0,
    )
    return ends, history


@pytest.mark.parametrize("stop", [3, 5, 6, 9])
def test_a_killed_run_is_resumed_to_the_bit(tmp_path, monkeypatch, stop):
    whole, history = taught(tmp_path / "whole", monkeypatch=monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        taught(tmp_path / "killed", stop=stop, monkeypatch=monkeypatch)
    ends, resumed = taught(tmp_path / "killed", monkeypatch=monkeypatch)
    for name, weight in ends["own"].items():
        assert torch.equal(weight, whole["own"][name]), name
    assert [entry["value"] for entry in resumed] == [entry["value"] for entry in history]
    assert [(entry["stage"], entry["step"]) for entry in history] == [
        ("shared", 2), ("shared", 4), ("shared", 6), ("own", 2), ("own", 4)
    ]  # fmt: skip


def test_layers_part_in_the_last_stage_only(tmp_path, monkeypatch):
    ends, _ = taught(tmp_path, monkeypatch=monkeypatch)
    assert not any(name.startswith("encoder.layer.1.") for name in ends["shared"])
    first, last = (ends["own"][f"encoder.layer.{index}.output.dense.weight"] for index in (0, 2))
    assert first.shape == last.shape and not torch.equal(first, last)


def test_a_few_steps_reduce_the_losses(tmp_path, monkeypatch):
    stage = Stage("shared", 2, 1, True, steps=60, learning_rate=3e-3, final_rate=3e-3)
    monkeypatch.setattr(pretraining, "WARMUP", 10)
    _, history = taught(tmp_path, (stage,), monkeypatch=monkeypatch)
    for name in ("value", "asked", "claim", "relation"):
        assert history[-1][name] < 0.85 * history[0][name], name


def test_rates_rise_and_fall():
    stage = Stage("x", 1, 1, True, steps=1000, learning_rate=1.0, final_rate=0.1)
    rates = [stage.rate(step) for step in range(1000)]
    assert np.argmax(rates) == pretraining.WARMUP - 1
    assert rates[0] == pytest.approx(1 / pretraining.WARMUP) and rates[-1] == pytest.approx(0.1, abs=1e-2)
    assert np.all(np.diff(rates[pretraining.WARMUP :]) < 0)


def test_the_pooler_learns():
    encoder, readers = first_encoder(FORM, 0), Readers(FORM.vocab_size)
    taught_losses(encoder, readers, 2, made())["relation"].backward()
    assert encoder.pooler.dense.weight.grad.abs().max() > 0
