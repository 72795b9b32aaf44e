"""Pre-training of the mini backbones: a small vocabulary, then masked language modeling on the generated corpus.

The result is an ordinary encoder folder (config.json, model.safetensors, tokenizer.json), so that the rest of the
pipeline treats a mini-BERT like BERT-base.

The corpus is distant supervision rather than plain text: most documents are two sentences joined by a connecting word
that usually fits their relation, and the relations are those of mini-GLUE's tasks. Predicting that word trains an
encoder for these tasks in minutes; it has no relevance to real language.

To stay within minutes on one core, most steps train a quarter of the layers, which are then duplicated (progressive
stacking); the connecting word is always predicted, half of the time at [CLS] with the word removed, where it is read
from the pooled state, so that the pooler is pre-trained like BERT's; and weights start larger than BERT's 0.02, which
would make attention almost uniform at such a small hidden size. These choices were made together; none has been
measured separately.
"""

import copy
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn
from transformers import (
    AlbertConfig,
    AlbertForPreTraining,
    BertConfig,
    BertForPreTraining,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from cosee.errors import InputError
from cosee.synthetic.generation import corpus

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(len(SPECIALS))
VOCAB_SIZE = 1000
MAX_LENGTH = 128  # positions
INIT_STD = 0.1
STAGES = ((4, 0.85), (2, 0.93), (1, 1.0))
"""(1 / share of the layers, share of the steps after which the stage ends)."""
MASK_RATE = 0.12
CONNECTIVE_ONLY = 0.5  # share of the two-sentence documents in which only the connecting word is predicted
AT_CLS = 0.5  # share of them in which it is predicted at [CLS]
IGNORE = -100  # label of a position that is not predicted


def make_backbone(
    folder: str | Path, *, kind: str, texts: int, seed: int, threads: int = 1, **settings: float
) -> list[float]:
    """Generate `texts` documents, pre-train an encoder on them and save it; returns the loss of every step.

    `settings` are those of `pretrain`: num_layers, hidden_size, steps, batch_size, learning_rate.
    """
    torch.set_num_threads(threads)
    documents = corpus(seed, texts)
    tokenizer = build_tokenizer(documents, VOCAB_SIZE)
    encoder, losses = pretrain(kind, documents, tokenizer, seed=seed, **settings)
    save_backbone(folder, encoder, tokenizer)
    return losses


def build_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """A lower-casing WordPiece tokenizer of the most frequent words of `texts`; rarer words are spelled out.

    Raises:
        InputError: the vocabulary cannot hold the special tokens and the letters.
    """
    normalizer, splitter = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    counts = Counter(word for text in texts for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text)))
    letters = string.ascii_lowercase + string.digits
    entries = [*SPECIALS, *letters, *string.punctuation, *(f"##{letter}" for letter in letters)]
    if vocab_size < len(entries):
        raise InputError(
            f"vocab_size: {vocab_size} is too small; special tokens and letters alone take {len(entries)}."
        )
    known = set(entries)
    entries += sorted((word for word in counts if word not in known), key=lambda word: (-counts[word], word))
    vocab = {entry: index for index, entry in enumerate(entries[:vocab_size])}
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)],
    )
    tokenizer.add_special_tokens(list(SPECIALS))
    return tokenizer


def pretrain(
    kind: str,
    texts: Sequence[str],
    tokenizer: Tokenizer,
    *,
    num_layers: int,
    hidden_size: int,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> tuple[PreTrainedModel, list[float]]:
    """Masked language modeling with AdamW, linear warm-up and decay.

    Args:
        kind: bert or albert.
        texts: documents; a line break separates two sentences, of which the second opens with a connecting word.
        tokenizer: from `build_tokenizer`.
        num_layers: depth of the encoder.
        hidden_size: H.
        steps: optimizer steps in total.
        batch_size: documents per step.
        learning_rate: its peak.
        seed: of weights, order and masks.

    Returns:
        The encoder (a `BertModel` or `AlbertModel`), and the loss of every step.

    Raises:
        InputError: the kind is unknown.
    """
    with torch.random.fork_rng(devices=[]):  # transformers draws weights from the global generator
        torch.manual_seed(seed)
        model = _masked_model(kind, tokenizer.get_vocab_size(), hidden_size, max(1, num_layers // STAGES[0][0]))
        batches = _batches(_encode(texts, tokenizer), batch_size, torch.Generator().manual_seed(seed))
        losses: list[float] = []
        for part, end in STAGES:
            _grow(model, max(1, num_layers // part))
            optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01, fused=True)
            begin = len(losses)
            for step in range(begin, round(end * steps)):
                warm = min((step + 1) / (0.05 * steps), (step - begin + 1) / 20)  # a new stage starts gently, too
                optimizer.param_groups[0]["lr"] = learning_rate * min(warm, (steps - step) / (0.95 * steps))
                loss = masked_loss(model, **next(batches))
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()
                losses.append(loss.item())
    return model.base_model.eval(), losses


def save_backbone(folder: str | Path, encoder: PreTrainedModel, tokenizer: Tokenizer) -> None:
    """Save an encoder and its tokenizer as `AutoModel` and `AutoTokenizer` read them.

    Raises:
        InputError: its weights are not all finite numbers.
    """
    if not all(value.isfinite().all() for value in encoder.parameters()):
        raise InputError(f"{folder}: the weights diverged in pre-training; choose a lower `pretraining.learning_rate`.")
    encoder.save_pretrained(folder)
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=MAX_LENGTH,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **dict(zip(names, SPECIALS, strict=True)),
    )
    fast.save_pretrained(folder)


def _masked_model(kind: str, vocab_size: int, hidden_size: int, num_layers: int) -> PreTrainedModel:
    sizes = {
        "vocab_size": vocab_size,
        "hidden_size": hidden_size,
        "num_hidden_layers": num_layers,
        "num_attention_heads": 1,  # attention over so few tokens costs a CPU the same for every head, however narrow
        "intermediate_size": 2 * hidden_size,
        "max_position_embeddings": MAX_LENGTH,
        "hidden_dropout_prob": 0.0,  # as in ALBERT-base: the runs are too short to overfit
        "attention_probs_dropout_prob": 0.0,
        "initializer_range": INIT_STD,
        "pad_token_id": PAD,
        "attn_implementation": "sdpa",
    }
    if kind == "bert":
        model: PreTrainedModel = BertForPreTraining(BertConfig(**sizes))
    elif kind == "albert":
        special = {"embedding_size": hidden_size, "bos_token_id": CLS, "eos_token_id": SEP}
        model = AlbertForPreTraining(AlbertConfig(**sizes, **special))
    else:
        raise InputError(f"kind: {kind!r} is no mini backbone; expected bert or albert.")
    embeddings = model.base_model.embeddings
    with torch.no_grad():  # the word is to matter more than its place
        embeddings.position_embeddings.weight.mul_(0.5)
        embeddings.token_type_embeddings.weight.mul_(0.5)
    return model.train()


def _grow(model: PreTrainedModel, num_layers: int) -> None:
    """Deepen a model in place: each layer is followed by its copies (ALBERT: its one layer is applied more often)."""
    model.config.num_hidden_layers = num_layers
    if model.config.model_type == "bert":
        stack = model.base_model.encoder
        old = stack.layer
        stack.layer = nn.ModuleList(copy.deepcopy(old[i * len(old) // num_layers]) for i in range(num_layers))


def _encode(texts: Sequence[str], tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """Padded ids [N, T] and the position of the second sentence [N], 0 without one."""
    pairs = [text.split("\n") for text in texts]
    encodings = tokenizer.encode_batch([tuple(pair) if len(pair) == 2 else pair[0] for pair in pairs])
    ids, types = (
        nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=PAD)
        for rows in ([encoding.ids for encoding in encodings], [encoding.type_ids for encoding in encodings])
    )
    return ids, types.argmax(dim=1)


def _batches(data: tuple[Tensor, Tensor], batch_size: int, generator: torch.Generator):
    """Endless masked batches of texts of similar length, to save padding."""
    ids, second = data
    lengths = (ids != PAD).sum(dim=1)
    while True:
        pools = torch.randperm(len(ids), generator=generator).split(16 * batch_size)
        batches = [rows for pool in pools for rows in pool[lengths[pool].argsort()].split(batch_size)]
        for i in torch.randperm(len(batches), generator=generator).tolist():
            rows = batches[i]
            yield mask_tokens(ids[rows, : lengths[rows].max()], second[rows], generator)


def mask_tokens(ids: Tensor, second: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Choose the predicted positions of a batch.

    Args:
        ids: token ids [B, T].
        second: position of the connecting word, which opens the second sentence [B]; 0 for a single sentence.
        generator: source of the choices.

    Returns:
        The model's arguments: input_ids, token_type_ids, attention_mask and labels, each [B, T].
    """
    positions, opening = torch.arange(ids.shape[1]), second[:, None]
    connective = (positions == opening) & (opening > 0)
    chosen = (torch.rand(ids.shape, generator=generator) < MASK_RATE) & (ids > MASK)
    quiet = (torch.rand(opening.shape, generator=generator) < CONNECTIVE_ONLY) & (opening > 0)
    chosen = (chosen & ~quiet) | connective
    labels = torch.where(chosen, ids, IGNORE)
    kept = torch.rand(ids.shape, generator=generator) < 0.1  # some words stay, as in BERT
    masked = torch.where(chosen & ~(kept & ~connective), MASK, ids)

    # Remove the connecting word where it is predicted at [CLS]: later tokens move up by one.
    taken = (torch.rand(opening.shape, generator=generator) < AT_CLS) & (opening > 0)
    source = (positions + (taken & (positions >= opening))).clamp(max=ids.shape[1] - 1)
    beyond = taken & (positions == ids.shape[1] - 1)
    words = ids.gather(1, opening)
    masked = masked.gather(1, source).masked_fill(beyond, PAD)
    labels = labels.gather(1, source).masked_fill(beyond, IGNORE)
    labels[:, :1] = torch.where(taken, words, labels[:, :1])
    inside = masked != PAD
    types = ((positions >= opening) & (opening > 0) & inside).long()
    return {"input_ids": masked, "token_type_ids": types, "attention_mask": inside.long(), "labels": labels}


def masked_loss(model: PreTrainedModel, labels: Tensor, **inputs: Tensor) -> Tensor:
    """Mean cross-entropy of the predicted positions; the logits of the others, most of them, are never computed.

    Args:
        model: a `BertForPreTraining` or `AlbertForPreTraining`.
        labels: ids where something is predicted, `IGNORE` elsewhere [B, T]; at [CLS], from the pooled state.
        inputs: input_ids, token_type_ids and attention_mask, each [B, T].

    Returns:
        Scalar loss.
    """
    head = model.cls.predictions if model.config.model_type == "bert" else model.predictions
    output = model.base_model(**inputs)
    words, at_cls = labels[:, 1:], labels[:, 0]
    inside, pooled = words != IGNORE, at_cls != IGNORE
    logits = torch.cat([head(output.last_hidden_state[:, 1:][inside]), head.decoder(output.pooler_output[pooled])])
    return nn.functional.cross_entropy(logits, torch.cat([words[inside], at_cls[pooled]]))
