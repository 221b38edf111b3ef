"""The models that the settings name. Nothing is loaded, asked or connected to before it is needed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import assert_never

from appliance.config import EmbeddingSettings, ModelSettings, Provider, Settings
from appliance.errors import ConfigurationError, ModelUnavailable
from appliance.inference.embedders import embedder_for
from appliance.inference.model_folder import FolderEmbedder
from appliance.inference.port import Embedder, LanguageModel, Reranker
from ingest.cluster.embedder import ClusterEmbedder
from ingest.cluster.link import Link

_log = logging.getLogger(__name__)

WRITE_PROMPTS = (
    'If one of them belongs before questions or before passages, write its text as "query" or "passage" into '
    "config_sentence_transformers.json in a copy of the folder, and set embedding.model_path to that copy."
)
"""What to do about prompts that are not used."""


def build_link(settings: Settings) -> Link | None:
    """The way to the Ray cluster that the settings name, None without one."""
    if not settings.cluster.address:
        return None
    return Link(settings.cluster, limits=settings.ingest, embedding=settings.embedding)


def build_embedder(settings: Settings, link: Link | None) -> Embedder:
    """The embedding model; with a cluster, it is taken in there."""
    here = _embedder_here(settings.embedding)
    if unused := unused_prompts(settings):
        _log.warning("%s %s", unused, WRITE_PROMPTS)
    return here if link is None else ClusterEmbedder(here, link)


def unused_prompts(settings: Settings) -> str:
    """A sentence that the folder of the embedding model has prompts that are not used; empty if it has none."""
    chosen = settings.embedding
    try:
        names = _embedder_here(chosen).unread_prompts
    except ModelUnavailable:  # told where the model is used
        names = ()
    named = ", ".join(f"'{name}'" for name in names)
    return f"The embedding model in {chosen.model_path} has prompts that are not used: {named}." if names else ""


def _embedder_here(chosen: EmbeddingSettings) -> FolderEmbedder:
    path = Path(chosen.model_path) if chosen.model_path else None
    return embedder_for(path, backend=chosen.backend, batch_size=chosen.batch_size, threads=chosen.threads)


def build_reranker(settings: Settings) -> Reranker | None:
    """The reranking model, None without one."""
    if not settings.retrieval.reranker_path:
        return None
    path, embedding = Path(settings.retrieval.reranker_path), settings.embedding
    if path.suffix.lower() == ".gguf":
        from appliance.inference.llamacpp_reranker import LlamaCppReranker

        return LlamaCppReranker(path, threads=embedding.threads)
    from appliance.inference.cross_encoder import CrossEncoderReranker

    return CrossEncoderReranker(path, batch_size=embedding.batch_size)


def build_model(settings: ModelSettings) -> LanguageModel | None:
    """The language model; None for extractive answers."""
    match settings.resolved_provider:
        case Provider.NONE:
            return None
        case Provider.LLAMACPP:
            from appliance.inference.llamacpp import LlamaCppModel

            if not settings.gguf_path:
                raise ConfigurationError("model.provider is 'llamacpp', but model.gguf_path names no GGUF file.")
            return LlamaCppModel(
                Path(settings.gguf_path), context_tokens=settings.context_tokens, threads=settings.threads
            )
        case Provider.OPENAI:
            from appliance.inference.openai_compatible import OpenAICompatibleModel

            if not settings.base_url:
                raise ConfigurationError("model.provider is 'openai', but model.base_url names no server.")
            return OpenAICompatibleModel(
                settings.base_url,
                settings.name,
                settings.api_key.get_secret_value(),
                context_tokens=settings.context_tokens,
                connect_timeout_s=settings.connect_timeout_s,
                token_timeout_s=settings.token_timeout_s,
            )
        case Provider.OLLAMA:
            from appliance.inference.ollama import OllamaModel

            return OllamaModel(
                settings.ollama_host,
                settings.name,
                context_tokens=settings.context_tokens,
                connect_timeout_s=settings.connect_timeout_s,
                token_timeout_s=settings.token_timeout_s,
            )
        case provider:
            assert_never(provider)
