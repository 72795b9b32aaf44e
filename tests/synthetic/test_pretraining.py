"""Pre-training of the mini backbones: tokenizer, masking, growth, reproducibility, and the resulting folder."""

from pathlib import Path

import pytest
import torch
from transformers import AlbertForPreTraining, AutoModel, AutoTokenizer, BertForPreTraining

from cosee.data.tasks import TASKS
from cosee.errors import InputError
from cosee.models.loading import load_backbone
from cosee.synthetic import generation, pretraining

SMALL = {"num_layers": 4, "hidden_size": 16, "batch_size": 16, "learning_rate": 3e-3}


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return generation.corpus(1, 3000)


@pytest.fixture(scope="module")
def tokenizer(texts):
    return pretraining.build_tokenizer(texts, pretraining.VOCAB_SIZE)


def test_the_vocabulary_knows_every_word_of_the_tasks(tokenizer):
    spelled = {tokenizer.token_to_id(f"##{letter}") for letter in "abcdefghijklmnopqrstuvwxyz"}
    for task in TASKS:
        frame = generation.generate(task, 0, {"train": 200})["train"]
        for column in TASKS[task].columns:
            for text, encoding in zip(frame[column], tokenizer.encode_batch(list(frame[column])), strict=True):
                assert pretraining.UNK not in encoding.ids
                assert not spelled & set(encoding.ids)
                assert tokenizer.decode(encoding.ids).replace(" ", "") == text.lower().replace(" ", "")


def test_sentences_are_framed_as_in_bert_and_rare_words_are_spelled(tokenizer):
    encoding = tokenizer.encode("No dog is wet.", "Every dog is xyzzy?")
    assert encoding.tokens[:7] == ["[CLS]", "no", "dog", "is", "wet", ".", "[SEP]"]
    assert encoding.tokens[7:] == ["every", "dog", "is", "x", "##y", "##z", "##z", "##y", "?", "[SEP]"]
    assert encoding.type_ids == [0] * 7 + [1] * 10


def test_a_vocabulary_without_room_for_letters_is_refused():
    with pytest.raises(InputError, match="vocab_size: 20 is too small"):
        pretraining.build_tokenizer(["a"], 20)


def test_masks_predict_the_connecting_word_in_its_place_or_at_cls():
    cls, sep, mask, pad = pretraining.CLS, pretraining.SEP, pretraining.MASK, pretraining.PAD
    row = [cls, 10, 11, 12, sep, 20, 13, 14, sep, pad]  # 20 opens the second sentence, at position 5
    alone = [cls, 10, 11, 12, 15, 16, 17, 18, sep, pad]
    ids = torch.tensor([row] * 2000 + [alone] * 2000)
    second = torch.tensor([5] * 2000 + [0] * 2000)
    batch = pretraining.mask_tokens(ids, second, torch.Generator().manual_seed(0))
    words, labels, types = batch["input_ids"], batch["labels"], batch["token_type_ids"]

    at_cls = labels[:2000, 0] == 20
    assert at_cls.float().mean().item() == pytest.approx(pretraining.AT_CLS, abs=0.04)
    kept, moved = slice(0, 2000), torch.nonzero(at_cls).squeeze(1)
    in_place = torch.nonzero(~at_cls).squeeze(1)
    assert (words[in_place, 5] == mask).all() and (labels[in_place, 5] == 20).all()
    assert not (words[kept] == 20).any()  # the word itself is never shown
    assert (words[moved][:, [4, 7, 8, 9]] == torch.tensor([sep, sep, pad, pad])).all()
    assert types[moved[0]].tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 0, 0]
    assert types[in_place[0]].tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1, 0]
    assert (batch["attention_mask"] == (words != pad)).all()
    assert (labels[2000:, 0] == pretraining.IGNORE).all() and (types[2000:] == 0).all()

    predicted = labels != pretraining.IGNORE
    assert not predicted[:, [4, 8, 9]][in_place].any()  # [SEP] and [PAD] are never predicted
    assert predicted[2000:, 1:8].float().mean().item() == pytest.approx(pretraining.MASK_RATE, abs=0.01)
    hidden = (words[2000:] == mask) | (words[2000:] == ids[2000:])
    assert hidden.all()


@pytest.mark.parametrize("kind", ["bert", "albert"])
def test_the_loss_reads_cls_from_the_pooled_state_and_words_from_their_own(kind, texts, tokenizer):
    encoder, _ = pretraining.pretrain(kind, texts, tokenizer, steps=0, seed=0, **SMALL)
    classes = {"bert": BertForPreTraining, "albert": AlbertForPreTraining}
    model = classes[kind](encoder.config).eval()
    ids = torch.tensor([[pretraining.CLS, 40, 41, 42, pretraining.SEP], [pretraining.CLS, 43, 44, pretraining.SEP, 0]])
    inputs = {"input_ids": ids, "token_type_ids": torch.zeros_like(ids), "attention_mask": (ids > 0).long()}
    labels = torch.full_like(ids, pretraining.IGNORE)
    labels[0, 0], labels[0, 2], labels[1, 1] = 50, 41, 60

    output = model.base_model(**inputs)
    words = model(**inputs).prediction_logits
    embeddings = model.get_input_embeddings().weight  # which the output layer shares
    bias = model.get_output_embeddings().bias
    terms = [
        -(output.pooler_output[0] @ embeddings.T + bias).log_softmax(-1)[50],
        -words[0, 2].log_softmax(-1)[41],
        -words[1, 1].log_softmax(-1)[60],
    ]
    loss = pretraining.masked_loss(model, labels, **inputs)
    torch.testing.assert_close(loss, sum(terms) / 3)


def test_the_pooler_is_pretrained(texts, tokenizer):
    before, _ = pretraining.pretrain("bert", texts, tokenizer, steps=0, seed=3, **SMALL)
    after, _ = pretraining.pretrain("bert", texts, tokenizer, steps=3, seed=3, **SMALL)
    assert not torch.equal(before.pooler.dense.weight, after.pooler.dense.weight)


@pytest.mark.parametrize("kind", ["bert", "albert"])
def test_a_few_steps_reduce_the_loss_and_repeat_to_the_bit(kind, texts, tokenizer):
    encoder, losses = pretraining.pretrain(kind, texts, tokenizer, steps=80, seed=3, **SMALL)
    assert len(losses) == 80
    assert encoder.config.num_hidden_layers == 4
    assert sum(losses[-20:]) < 0.9 * sum(losses[:20])
    again, losses_again = pretraining.pretrain(kind, texts, tokenizer, steps=80, seed=3, **SMALL)
    assert losses_again == losses
    for (name, one), (_, two) in zip(encoder.state_dict().items(), again.state_dict().items(), strict=True):
        assert torch.equal(one, two), name


def test_pretraining_leaves_the_global_generator_alone(texts, tokenizer):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    pretraining.pretrain("bert", texts, tokenizer, steps=2, seed=0, **SMALL)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("kind", ["bert", "albert"])
def test_the_folder_is_an_ordinary_encoder(kind, tmp_path: Path):
    losses = pretraining.make_backbone(tmp_path, kind=kind, texts=2000, steps=4, seed=0, **SMALL)
    assert len(losses) == 4
    encoder, tokenizer = AutoModel.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    inputs = tokenizer("Sales fell on Monday.", "Sales dropped on Monday.", return_tensors="pt")
    assert inputs["token_type_ids"].tolist()[0] == [0] * 7 + [1] * 6
    output = encoder(**inputs)
    assert output.last_hidden_state.shape == (1, 13, 16) and output.pooler_output.shape == (1, 16)
    assert all(parameter.dtype == torch.float32 for parameter in encoder.parameters())
    assert load_backbone(tmp_path).num_layers == 4  # which refuses a folder without a pooler
    assert not list(tmp_path.glob("*.bin"))


def test_unknown_kinds_are_refused(texts, tokenizer):
    with pytest.raises(InputError, match="'gpt' is no mini backbone"):
        pretraining.pretrain("gpt", texts, tokenizer, steps=1, seed=0, **SMALL)


def test_a_learning_rate_at_which_the_weights_diverge_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"the weights diverged in pre-training; choose a lower"):
        pretraining.make_backbone(
            tmp_path,
            kind="bert",
            texts=100,
            seed=0,
            num_layers=2,
            hidden_size=16,
            steps=8,
            batch_size=8,
            learning_rate=1e38,
        )
