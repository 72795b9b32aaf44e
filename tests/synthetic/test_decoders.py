"""Pre-training of mini-GPT and mini-Mamba: documents, what is predicted, growth, and the resulting folder."""

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

from cosee.errors import InputError
from cosee.models.loading import load_backbone
from cosee.plan.settings import DECODERS
from cosee.synthetic import decoders, generation
from cosee.synthetic.pretraining import IGNORE, PAD, SEP, VOCAB_SIZE, build_tokenizer

SMALL = {"num_layers": 4, "hidden_size": 16, "batch_size": 16, "learning_rate": 1e-2}
EACH = pytest.mark.parametrize("kind", decoders.LAYERS_AT)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return generation.corpus(1, 3000)


@pytest.fixture(scope="module")
def tokenizer(texts):
    return decoders.ended_tokenizer(build_tokenizer(texts, VOCAB_SIZE))


def test_configurations_know_the_kinds():
    assert tuple(decoders.LAYERS_AT) == DECODERS


def test_texts_end_with_a_mark(tokenizer):
    assert tokenizer.encode("No dog is wet.").tokens == ["no", "dog", "is", "wet", ".", "[SEP]"]
    pair = tokenizer.encode("No dog is wet.", "Every dog is wet.")
    assert pair.tokens[5:7] == ["[SEP]", "every"] and pair.tokens[-1] == "[SEP]"
    assert pair.type_ids == [0] * 6 + [1] * 6


def test_the_connecting_word_follows_what_it_connects(tokenizer):
    ids, connected = decoders._documents(["no dog is wet.\nthus every dog is wet.", "a dog\nless", "a dog"], tokenizer)
    words = [[tokenizer.id_to_token(i) for i in row.tolist() if i != PAD] for row in ids]
    pair = ["no", "dog", "is", "wet", ".", "[SEP]", "every", "dog", "is", "wet", ".", "[SEP]", "thus"]
    assert words == [pair, ["a", "dog", "[SEP]", "less"], ["a", "dog", "[SEP]"]]
    assert connected.tolist() == [True, True, False]


def test_the_last_token_is_always_predicted_and_the_others_unless_it_is_all_that_matters():
    row, alone = [10, 11, SEP, 20, PAD], [10, 11, 12, 13, SEP]
    ids = torch.tensor([row, row, alone])
    inputs, labels = decoders.next_tokens(ids, torch.tensor([True, True, False]), torch.tensor([True, False, True]))
    assert inputs.tolist() == [row[:-1], row[:-1], alone[:-1]]
    assert labels.tolist() == [[IGNORE, IGNORE, 20, IGNORE], [11, SEP, 20, IGNORE], [11, 12, 13, SEP]]


@EACH
@torch.no_grad()
def test_the_loss_reads_the_states_before_the_predicted_tokens(kind, texts, tokenizer):
    model, _ = decoders.pretrain_decoder(kind, texts, tokenizer, steps=0, seed=0, **SMALL)
    ids = torch.tensor([[40, 41, SEP], [43, SEP, PAD]])
    labels = torch.tensor([[IGNORE, IGNORE, 50], [60, IGNORE, IGNORE]])
    table = model.get_input_embeddings().weight
    terms = []
    for row, length, target in ((0, 3, 50), (1, 1, 60)):  # alone and without padding
        state = model(input_ids=ids[row : row + 1, :length]).last_hidden_state[0, -1]
        terms.append(-(table @ state).log_softmax(-1)[target])
    torch.testing.assert_close(decoders.next_token_loss(model, ids, labels), sum(terms) / 2)


@EACH
def test_a_few_steps_reduce_the_loss_and_repeat_to_the_bit(kind, texts, tokenizer):
    model, losses = decoders.pretrain_decoder(kind, texts, tokenizer, steps=80, seed=3, **SMALL)
    assert len(losses) == 80 and model.config.num_hidden_layers == 4
    assert sum(losses[-20:]) < 0.9 * sum(losses[:20])
    again, losses_again = decoders.pretrain_decoder(kind, texts, tokenizer, steps=80, seed=3, **SMALL)
    assert losses_again == losses
    for (name, one), (_, two) in zip(model.state_dict().items(), again.state_dict().items(), strict=True):
        assert torch.equal(one, two), name


@EACH
def test_the_folder_is_an_ordinary_decoder(kind, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    losses = decoders.make_decoder(tmp_path, kind=kind, texts=1000, steps=4, seed=0, **SMALL)
    assert torch.equal(torch.rand(1), expected)  # the global generator is left alone
    assert len(losses) == 4
    backbone, own = load_backbone(tmp_path).eval(), AutoModel.from_pretrained(tmp_path).eval()
    assert (backbone.num_layers, backbone.exit_state, backbone.pooler) == (4, "last", "norm")
    encoding = Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode("Sales fell.", "Sales rose on Monday.")
    ids = torch.tensor([encoding.ids])
    with torch.no_grad():
        read = backbone.pool(backbone.states(ids, None, torch.zeros_like(ids)))[0, -1]
        torch.testing.assert_close(read, own(input_ids=ids).last_hidden_state[0, -1])
    assert encoding.ids[-1] == SEP


def test_weights_that_diverged_are_not_saved(tmp_path):
    settings = SMALL | {"learning_rate": 1e38}
    with pytest.raises(InputError, match="the weights diverged in pre-training"):
        decoders.make_decoder(tmp_path, kind="gpt", texts=1000, steps=8, seed=0, **settings)
    assert list(tmp_path.iterdir()) == []


def test_unknown_kinds_are_refused(texts, tokenizer):
    with pytest.raises(InputError, match="'bert' is no mini decoder; expected gpt or mamba2"):
        decoders.pretrain_decoder("bert", texts, tokenizer, steps=1, seed=0, **SMALL)
