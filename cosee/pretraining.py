"""Pre-training of the mini backbones: a small vocabulary, then masked language modelling on the generated corpus.

What comes out is an ordinary encoder folder (config.json, model.safetensors, tokenizer.json), so the rest of the pipeline
cannot tell a mini-BERT from a BERT-base.
"""

import copy
import string
from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import nn
from transformers import (
    AlbertConfig,
    AlbertForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    PreTrainedModel,
)

from cosee.errors import InputError

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, _, CLS, SEP, MASK = range(len(SPECIALS))
NUM_LAYERS = 12
MAX_LENGTH = 64
MASK_RATE = 0.12
SALIENT = 0.5
INIT, MIMIC, POS, TYPE, GAIN = 0.1, True, 0.3, 0.3, 1.4
IGNORE = -100  # label of a position that is not predicted


def build_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """A lower-casing WordPiece tokenizer of the most frequent words of `texts`; rarer words are spelled out.

    Args:
        texts: documents; a line break separates two sentences.
        vocab_size: entries at most, with BERT's five special tokens and the letters that spell unknown words.

    Raises:
        InputError: the vocabulary cannot hold the special tokens and the letters.
    """
    normalizer = normalizers.BertNormalizer(lowercase=True)
    splitter = pre_tokenizers.BertPreTokenizer()
    counts = Counter(word for text in texts for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text)))
    characters = string.ascii_lowercase + string.digits + string.punctuation
    entries = [*SPECIALS, *characters, *(f"##{c}" for c in string.ascii_lowercase + string.digits)]
    if vocab_size < len(entries):
        raise InputError(
            f"vocab_size: {vocab_size} is too small; special tokens and letters alone take {len(entries)}."
        )
    entries += [word for word in sorted(counts, key=lambda w: (-counts[w], w)) if word not in characters]
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


def new_model(kind: str, vocab_size: int, hidden_size: int, num_layers: int = NUM_LAYERS) -> PreTrainedModel:
    """A fresh masked-language model of transformers' own class, `kind` bert or albert.

    Raises:
        InputError: the kind is unknown.
    """
    sizes = dict(
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        num_hidden_layers=num_layers,
        num_attention_heads=max(1, hidden_size // 16),
        intermediate_size=2 * hidden_size,
        max_position_embeddings=MAX_LENGTH,
        hidden_dropout_prob=0.0,  # the runs are too short to overfit
        attention_probs_dropout_prob=0.0,
        pad_token_id=PAD,
        attn_implementation="sdpa",
        initializer_range=INIT,
    )
    if kind == "bert":
        m = BertForMaskedLM(BertConfig(**sizes))
        with torch.no_grad():
            m.bert.embeddings.position_embeddings.weight.mul_(POS)
            m.bert.embeddings.token_type_embeddings.weight.mul_(TYPE)
            if MIMIC:
                for l in m.bert.encoder.layer:
                    l.attention.self.key.weight.copy_(l.attention.self.query.weight.mul_(GAIN))
        return m
    if kind == "albert":
        special = dict(embedding_size=hidden_size, bos_token_id=CLS, eos_token_id=SEP)
        return AlbertForMaskedLM(AlbertConfig(**sizes, **special))
    raise InputError(f"kind: {kind!r} is no mini backbone; expected bert or albert.")


def grow(model: PreTrainedModel, num_layers: int) -> PreTrainedModel:
    """The same model with more layers: copies of the present stack on top of it (ALBERT: its one layer, applied more often)."""
    grown = copy.deepcopy(model)
    grown.config.num_hidden_layers = num_layers
    if model.config.model_type == "bert":
        layers = model.bert.encoder.layer
        grown.bert.encoder.layer = nn.ModuleList(
            copy.deepcopy(layers[i * len(layers) // num_layers]) for i in range(num_layers)
        )
        grown.bert.encoder.config.num_hidden_layers = num_layers
    return grown


def encode(texts: Sequence[str], tokenizer: Tokenizer) -> dict[str, torch.Tensor]:
    """Documents as padded ids and token types [N, T], lengths [N] and the position [N] of the second sentence (0: none)."""
    pairs = [tuple(text.split("\n")) for text in texts]
    encodings = tokenizer.encode_batch([pair if len(pair) == 2 else pair[0] for pair in pairs])
    ids, types = (
        nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
        for rows in ([e.ids for e in encodings], [e.type_ids for e in encodings])
    )
    return {"ids": ids, "types": types, "lengths": (ids != PAD).sum(dim=1), "second": types.argmax(dim=1)}


def mask_tokens(ids, types, second, generator, p_open=1.0, p_drop=0.0, cls_target=False):
    """BERT's masking of a batch of ids [B, T], in which the word that opens a second sentence is always predicted."""
    labels = torch.full_like(ids, IGNORE)
    chosen = (torch.rand(ids.shape, generator=generator) < MASK_RATE) & (ids > MASK)
    rows = torch.nonzero(second).squeeze(1)
    pick = torch.rand(len(rows), generator=generator) < p_open
    chosen[rows, second[rows]] = pick
    chosen &= ~((torch.rand(len(ids), 1, generator=generator) < SALIENT) & (second > 0)[:, None])
    chosen[rows, second[rows]] = pick
    labels[chosen] = ids[chosen]
    kind = torch.rand(ids.shape, generator=generator)
    masked = ids.clone()
    masked[chosen & (kind < 0.9)] = MASK
    masked[rows[pick], second[rows[pick]]] = MASK
    if cls_target:
        drop = torch.rand(len(rows), generator=generator) < p_drop
        for r in rows[drop].tolist():
            s = int(second[r])
            labels[r, 0] = ids[r, s]
            for t in (masked, labels, types):
                t[r, s:-1] = t[r, s + 1 :].clone()
                t[r, -1] = IGNORE if t is labels else PAD
    return masked, labels, types


def pretrain(
    kind,
    texts,
    tokenizer,
    *,
    hidden_size,
    steps,
    batch_size,
    learning_rate,
    seed,
    threads=1,
    stages=((3, 0.5), (6, 0.25), (12, 0.25)),
    p_open=1.0,
    p_drop=0.0,
    cls_target=False,
    log=None,
):
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    data = encode(texts, tokenizer)
    model = new_model(kind, tokenizer.get_vocab_size(), hidden_size, stages[0][0])
    losses, done, order = [], 0, []
    ends = [round(steps * sum(share for _, share in stages[: i + 1])) for i in range(len(stages))]
    for (layers, _), end in zip(stages, ends, strict=True):
        model = grow(model, layers).train()
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=learning_rate, weight_decay=0.01, betas=(0.9, 0.98), fused=True
        )
        for step in range(done, end):
            rate = min((step + 1) / (0.05 * steps), (steps - step) / (0.95 * steps), (step - done + 1) / 20)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * rate
            if not order:
                shuffled = torch.randperm(len(texts), generator=generator)
                chunks = [c[data["lengths"][c].argsort()] for c in shuffled.split(16 * batch_size)]
                order = [b for c in chunks for b in c.split(batch_size) if len(b) == batch_size]
                order = [order[i] for i in torch.randperm(len(order), generator=generator).tolist()]
            rows = order.pop()
            width = int(data["lengths"][rows].max())
            ids, types = data["ids"][rows, :width], data["types"][rows, :width].clone()
            masked, labels, types = mask_tokens(ids, types, data["second"][rows], generator, p_open, p_drop, cls_target)
            out = model(input_ids=masked, token_type_ids=types, attention_mask=(masked != PAD).long(), labels=labels)
            out.loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(out.loss.item())
            if log:
                log(step, layers, losses, model)
        done = end
    return model, losses
