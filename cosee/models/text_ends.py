"""The end of a text for decoders: their tokenizers add no special tokens and would join two texts without a mark.

An exit reads the last token. If that is always the token that ends a text, its state says what was read, and not which
word happened to be the last.
"""

from pathlib import Path

from cosee.errors import InputError
from cosee.io import write_text

_WORDS = "the film"


def end_texts(file: Path, end: int | list[int] | None) -> None:
    """Change a tokenizer.json so that every text is followed by the encoder's end token: "A <end> B <end>".

    Special tokens that the tokenizer puts first (LLaMA's) stay; the second text is a segment of its own, as everywhere
    (`cosee.data.tokens`). A tokenizer that ends its texts already is left as it is.

    Args:
        file: tokenizer.json, changed in place.
        end: id of the end token, `eos_token_id` in the encoder's configuration; of several the first.

    Raises:
        InputError: there is no such token.
    """
    from tokenizers import Tokenizer, processors

    tokenizer = Tokenizer.from_file(str(file))
    identity = end[0] if isinstance(end, list) and end else end
    token = tokenizer.id_to_token(identity) if isinstance(identity, int) else None
    if token is None:
        raise InputError(
            f"backbone: the tokenizer has no end token {end}; expected the `eos_token_id` of the encoder's config.json."
        )
    whole, plain = tokenizer.encode(_WORDS), tokenizer.encode(_WORDS, add_special_tokens=False)
    if whole.ids and whole.ids[-1] == identity:
        return
    first = whole.tokens[: len(whole.ids) - len(plain.ids)]
    special = {name: tokenizer.token_to_id(name) for name in (*first, token)}
    tokenizer.post_processor = processors.TemplateProcessing(
        single=[*first, "$A", token],
        pair=[*first, "$A", token, "$B:1", f"{token}:1"],
        special_tokens=list(special.items()),
    )
    write_text(file, tokenizer.to_str())
