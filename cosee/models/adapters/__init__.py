"""Adapters over transformers' own encoders, one module per family of architectures. No modeling code is copied."""

from cosee.models.adapters.albert import AlbertBackbone
from cosee.models.adapters.bert import BertBackbone, DistilBertBackbone, ElectraBackbone, RobertaBackbone
from cosee.models.adapters.deberta import DebertaBackbone
from cosee.models.adapters.decoders import Gpt2Backbone, GptNeoXBackbone, LlamaBackbone
from cosee.models.adapters.mamba import Mamba2Backbone, MambaBackbone
from cosee.models.adapters.modernbert import ModernBertBackbone
from cosee.models.adapters.mpnet import MPNetBackbone
from cosee.models.backbones import Backbone
from cosee.plugins import Registry, subclass_of

_OWN: dict[str, type[Backbone]] = {
    "bert": BertBackbone,
    "ernie": BertBackbone,
    "roberta": RobertaBackbone,
    "camembert": RobertaBackbone,
    "xlm-roberta": RobertaBackbone,
    "electra": ElectraBackbone,
    "distilbert": DistilBertBackbone,
    "albert": AlbertBackbone,
    "mpnet": MPNetBackbone,
    "deberta-v2": DebertaBackbone,
    "modernbert": ModernBertBackbone,
    "gpt2": Gpt2Backbone,
    "gpt_neox": GptNeoXBackbone,
    "llama": LlamaBackbone,
    "qwen2": LlamaBackbone,
    "mamba": MambaBackbone,
    "mamba2": Mamba2Backbone,
}

ADAPTERS: Registry[type[Backbone]] = Registry("adapter", _OWN, {"cosee.adapters": subclass_of(Backbone)})
"""transformers' `model_type` -> adapter. DeBERTa-v3 has the type of its second version, Pythia is a GPT-NeoX.
Installed packages add theirs."""
