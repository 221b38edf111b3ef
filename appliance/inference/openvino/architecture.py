"""Which model folders the engine can run: encoders of the BERT family, averaged or read at the first token.

That covers the usual embedding models (MiniLM, BGE, E5, GTE, multilingual E5 and BGE-M3). Everything that is not known
to be the same computation is left to torch; a wrong guess would show only in bad search results.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from appliance.inference.model_folder import pooling_modes, read_json

_FIRST_POSITION_AFTER_PADDING = {"xlm-roberta", "roberta"}
_ACTIVATIONS = {"gelu": "erf", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}
_WORDS = "embeddings.word_embeddings.weight"
_READABLE_WEIGHTS = {"F32", "F16"}

Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Architecture:
    """What the weights do not say. `first_position` is the row of the first token's position embedding."""

    folder: Path
    layers: int
    heads: int
    positions: int
    first_position: int
    norm_epsilon: float
    activation: str
    pooling: str


def architecture_of(folder: Path) -> Architecture | None:
    """How to compute the model in a sentence-transformers folder; None when the engine does not know its kind.

    Raises:
        ModelUnavailable: A file of the folder is damaged.
    """
    modules = read_json(folder / "modules.json", list)
    kinds = [str(module.get("type", "")).rsplit(".", 1)[-1] for module in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        return None
    encoder = folder / modules[0]["path"]
    config = read_json(encoder / "config.json", dict)
    pooling = _pooling(read_json(folder / modules[1]["path"] / "config.json", dict))
    if not (_is_known(config) and pooling and _is_plain(folder, encoder) and _has_readable_weights(encoder)):
        return None
    first = int(config["pad_token_id"]) + 1 if config["model_type"] in _FIRST_POSITION_AFTER_PADDING else 0
    return Architecture(
        folder=encoder,
        layers=int(config["num_hidden_layers"]),
        heads=int(config["num_attention_heads"]),
        positions=int(config["max_position_embeddings"]) - first,
        first_position=first,
        norm_epsilon=float(config["layer_norm_eps"]),
        activation=_ACTIVATIONS[config["hidden_act"]],
        pooling=pooling,
    )


def read_weights(folder: Path) -> Weights:
    """The encoder's weights by their names in BERT, whatever stands before those names in the files.

    Raises:
        OSError, SafetensorError, KeyError: The files are damaged, or are not those of such an encoder.
    """
    weights: dict[str, NDArray[np.float32]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="numpy") as file:
            weights.update({name: file.get_tensor(name).astype(np.float32) for name in file.keys()})  # noqa: SIM118
    prefix = next((name for name in weights if name.endswith(_WORDS)), _WORDS).removesuffix(_WORDS)
    return {name.removeprefix(prefix): value for name, value in weights.items()}


def _is_known(config: Mapping[str, Any]) -> bool:
    return (
        config.get("model_type") in {"bert", *_FIRST_POSITION_AFTER_PADDING}
        and config.get("hidden_act") in _ACTIVATIONS
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder")
        and {"num_hidden_layers", "num_attention_heads", "max_position_embeddings", "layer_norm_eps"} <= config.keys()
        and (config["model_type"] == "bert" or "pad_token_id" in config)
    )


def _pooling(config: Mapping[str, Any]) -> str:
    """`mean` or `cls`; empty for every other way, and for pooling that leaves the prompt out."""
    modes = pooling_modes(config)
    if config.get("include_prompt", True) is not True or len(modes) != 1:
        return ""
    return {"mean": "mean", "pooling_mode_mean_tokens": "mean", "cls": "cls", "pooling_mode_cls_token": "cls"}.get(
        modes[0], ""
    )


def _is_plain(folder: Path, encoder: Path) -> bool:
    """Whether texts go to the tokenizer as they are, and vectors are kept whole."""
    reading = read_json(encoder / "sentence_bert_config.json", dict, optional=True)
    config = read_json(folder / "config_sentence_transformers.json", dict, optional=True)
    return not (reading.get("do_lower_case") or config.get("truncate_dim"))


def _has_readable_weights(encoder: Path) -> bool:
    """Whether numpy can read the weights. Damaged files count as readable: loading them says what is wrong."""
    try:
        for path in encoder.glob("*.safetensors"):
            with safe_open(path, framework="numpy") as file:
                names = file.keys()
                if not {file.get_slice(name).get_dtype() for name in names if ".position_ids" not in name} <= (
                    _READABLE_WEIGHTS | {"I64"}
                ):
                    return False
    except (OSError, SafetensorError):
        return True
    return True
