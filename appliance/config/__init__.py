"""Settings: one TOML file, then `STRONGROOM_*` environment variables on top; and the offline switches.

Rules this module keeps:

1. Unknown keys are refused, in the file and in the environment: a misspelt safety setting must not look set.
2. `go_offline()` sets every switch that keeps a dependency from calling out. It runs before any vendor is imported
   (the command line, the server and the parser worker call it first) and never weakens what the operator has set.
3. Nothing here touches the network or creates a file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping, MutableMapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator

from appliance.config.identity import LdapSettings, OidcSettings, TrustedHeaderSettings
from appliance.config.monitoring import MonitoringSettings
from appliance.config.postgresql import PostgresqlAddress, address_in
from appliance.config.section import Section
from appliance.domain import Role
from appliance.errors import ConfigurationError
from appliance.invalid import named, told
from appliance.labels import Levels, is_name

OFFLINE_SWITCHES: Mapping[str, str] = {
    # unstructured: a ping on import and on every partition, and an advertisement in the log
    "DO_NOT_TRACK": "1",
    "SCARF_NO_ANALYTICS": "true",
    "UNSTRUCTURED_DISABLE_NOTICE": "1",
    # Hugging Face libraries: look-ups, telemetry, update check
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # things that may come in with another package
    "ORT_DISABLE_TELEMETRY": "1",
    "ANONYMIZED_TELEMETRY": "False",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "OTEL_SDK_DISABLED": "true",
    "LANGCHAIN_TRACING_V2": "false",
    "LLAMA_OFFLINE": "1",
    "OLLAMA_NO_CLOUD": "1",
    "QDRANT__TELEMETRY_DISABLED": "true",
    # Ray: usage reports (it posts one that says they are off, unless the address is changed), metrics
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_PROMPT_ENABLED": "0",
    "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:9/",
    "RAY_enable_metrics_collection": "0",
    "PIP_NO_INDEX": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


def go_offline(environ: MutableMapping[str, str] | None = None) -> None:
    """Set every offline switch. Overwrites what is there: an appliance has no online mode."""
    (os.environ if environ is None else environ).update(OFFLINE_SWITCHES)


_MAX_LEVEL_CHARACTERS = 32


class ServerSettings(Section):
    """Where the appliance listens, and under which names it may be reached."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8600
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost")
    secure_cookie: bool = False  # set behind TLS
    trust_forwarded_for: bool = False  # only behind a reverse proxy that replaces the header


class IndexSettings(Section):
    """Qdrant in-process when `url` is empty, a Qdrant server otherwise."""

    url: str = ""
    api_key: SecretStr = SecretStr("")
    collection: str = "strongroom"
    timeout_s: Annotated[float, Field(gt=0)] = 30.0


class EmbeddingBackend(StrEnum):
    """The engine that computes embeddings. Vectors of both may stand in one index."""

    AUTO = "auto"  # torch where it has a GPU or the model is not of the BERT family, else OpenVINO
    TORCH = "torch"
    OPENVINO = "openvino"


class EmbeddingSettings(Section):
    """A local sentence-transformers folder; empty means the model that is installed with the appliance."""

    model_path: str = ""
    backend: EmbeddingBackend = EmbeddingBackend.AUTO
    cache_bytes: Annotated[int, Field(ge=0)] = 512 * 1024**2  # vectors kept by content; 0: none
    languages: tuple[str, ...] = ()  # that the model reads; none: English for the installed one, all for another
    batch_size: Annotated[int, Field(ge=1)] = 32
    threads: Annotated[int, Field(ge=0)] = 0  # 0: one per core

    @property
    def reads(self) -> tuple[str, ...]:
        """The languages that the model reads, as two letters; none where it is taken to read all."""
        return self.languages or (() if self.model_path else ("en",))


class Provider(StrEnum):
    """Who runs the language model."""

    AUTO = "auto"  # llama.cpp if gguf_path is set, an OpenAI-compatible server if base_url is set, else Ollama
    OLLAMA = "ollama"
    LLAMACPP = "llamacpp"
    OPENAI = "openai"
    NONE = "none"  # extractive answers only


ResolvedProvider = Literal[Provider.OLLAMA, Provider.LLAMACPP, Provider.OPENAI, Provider.NONE]


class ModelSettings(Section):
    """The language model. `context_tokens` is what we ask of it; the model's own limit is respected if it is lower."""

    provider: Provider = Provider.AUTO
    name: str = "qwen3.5:9b"
    ollama_host: str = "http://127.0.0.1:11434"
    gguf_path: str = ""
    threads: Annotated[int, Field(ge=0)] = 0  # of llama.cpp; 0: one per core
    base_url: str = ""
    api_key: SecretStr = SecretStr("")
    context_tokens: Annotated[int, Field(ge=512)] = 8192
    max_answer_tokens: Annotated[int, Field(ge=16)] = 1024
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    seed: int = 0
    connect_timeout_s: Annotated[float, Field(gt=0)] = 3.0
    token_timeout_s: Annotated[float, Field(gt=0)] = 120.0  # longest silence; the first token includes loading
    answer_timeout_s: Annotated[float, Field(gt=0)] = 300.0  # for a whole answer, thinking included
    rewrite_timeout_s: Annotated[float, Field(ge=0)] = 10.0  # for completing a follow-up; 0: by rules alone

    @property
    def resolved_provider(self) -> ResolvedProvider:
        """The provider that AUTO comes down to."""
        if self.provider is not Provider.AUTO:
            return self.provider
        if self.gguf_path:
            return Provider.LLAMACPP
        return Provider.OPENAI if self.base_url else Provider.OLLAMA

    @property
    def is_chosen(self) -> bool:
        """Whether somebody set up a model, so that its absence is worth telling readers about."""
        return bool(self.model_fields_set & {"provider", "ollama_host", "gguf_path", "base_url", "name"})


class IngestSettings(Section):
    """Limits of taking documents in."""

    max_file_bytes: Annotated[int, Field(gt=0)] = 256 * 1024 * 1024
    max_pages: Annotated[int, Field(gt=0)] = 10_000
    timeout_s: Annotated[float, Field(gt=0)] = 60.0  # per file, plus page_timeout_s for each page
    page_timeout_s: Annotated[float, Field(gt=0)] = 1.0
    ocr_page_timeout_s: Annotated[float, Field(gt=0)] = 30.0
    memory_bytes: Annotated[int, Field(gt=0)] = 2 * 1024**3  # address space of a parser
    ocr_languages: tuple[str, ...] = ("eng", "deu", "fra", "ita", "spa")
    chunk_tokens: Annotated[int, Field(ge=32)] = 200
    overlap_tokens: Annotated[int, Field(ge=0)] = 32
    workers: Annotated[int, Field(ge=1)] = 2
    retry_after_s: Annotated[float, Field(gt=0)] = 300.0  # then twice as long each time
    retry_at_most_s: Annotated[float, Field(gt=0)] = 86_400.0
    quarantine_after: Annotated[int, Field(ge=1)] = 3  # times that a file may break its parser
    settle_s: Annotated[float, Field(ge=0)] = 2.0  # a watched folder is synced when it was quiet for so long
    max_missing_share: Annotated[float, Field(gt=0, le=1)] = 0.5  # of a source's documents gone at once, unconfirmed
    roots: tuple[Path, ...] = ()  # folders that sources lie in; none: anywhere

    @field_validator("roots")
    @classmethod
    def _are_whole_paths(cls, roots: tuple[Path, ...]) -> tuple[Path, ...]:
        if not all(root.is_absolute() for root in roots):
            raise ValueError("needs whole paths in 'roots', beginning with a slash")
        return roots


class ClusterSettings(Section):
    """A Ray cluster that parses and embeds, or none. The index and the catalog stay with this process."""

    address: str = ""
    workers: Annotated[int, Field(ge=0)] = 0  # parsers and embedders each; 0: as many as the cluster has cores


class RetrievalSettings(Section):
    """How many chunks each leg brings, how many passages an answer may use, and when the documents do not say."""

    candidates: Annotated[int, Field(ge=1)] = 60
    passages: Annotated[int, Field(ge=1)] = 8
    dense_weight: Annotated[float, Field(ge=0, le=1)] = 0.65  # of nearness in meaning; BM25 has the rest
    dense_weight_on_pages: Annotated[float, Field(ge=0, le=1)] = 0.75  # as far as the candidates stand on pages
    dense_weight_elsewhere: Annotated[float, Field(ge=0, le=1)] = 0.4  # in languages the embedding model does not read
    glossary_path: str = ""  # the organisation's own words that mean the same; see docs/operations/glossary.md
    answerable_above: Annotated[float, Field(ge=0, le=1)] = 0.17  # below it the documents do not say
    reranker_path: str = ""  # a local CrossEncoder folder, or a GGUF file; empty: no reranking
    rerank_candidates: Annotated[int, Field(ge=1)] = 20


class PasswordsFor(StrEnum):
    """Whose passwords are taken on the sign-in page. Anybody else comes through single sign-on or the proxy."""

    EVERYBODY = "everybody"
    ADMINS = "admins"


class SignInSettings(Section):
    """Sessions and the brake on guessing."""

    idle_timeout_s: Annotated[float, Field(gt=0)] = 8 * 3600
    lifetime_s: Annotated[float, Field(gt=0)] = 24 * 3600
    max_failures: Annotated[int, Field(ge=1)] = 5  # of one name from one address
    max_failures_per_name: Annotated[int, Field(ge=1, le=100)] = 100  # wherever they come from; NIST SP 800-63B, 5.2.2
    failure_window_s: Annotated[float, Field(gt=0)] = 300
    second_factor_roles: tuple[Role, ...] = ()  # who signs in with a password and has one of them needs a second factor
    passwords: PasswordsFor = PasswordsFor.EVERYBODY


class AccessSettings(Section):
    """Levels of classification, who is cleared for which, and where people ask for access."""

    levels: tuple[str, ...] = ("public", "internal", "confidential", "secret")  # lowest first
    default_level: str = "internal"  # of documents that were given none
    default_clearance: str = "internal"  # of people who were given none
    clearances: Mapping[str, str] = {}  # what the members of a group are cleared for
    export_up_to: str = ""  # the highest level that programs are given; empty: any
    contact: str = ""  # shown to those who miss a document

    @model_validator(mode="after")
    def _every_level_is_one(self) -> Self:
        known = [name for name in self.levels if is_name(name) and len(name) <= _MAX_LEVEL_CHARACTERS]
        if not known or len(set(known)) < len(self.levels):
            raise ValueError("names its levels wrongly: 'levels' is a list of different names, lowest first")
        named = (self.default_level, self.default_clearance, *self.clearances.values(), self.export_up_to or known[0])
        if not set(named) <= set(known):
            raise ValueError(f"names a level that is not among them: write {', '.join(known)}, or change 'levels'")
        return self

    @property
    def scale(self) -> Levels:
        """The levels as the core works with them."""
        return Levels(self.levels, self.default_level, self.default_clearance, self.clearances, self.export_up_to)


class LogSettings(Section):
    """The query log. `signer_folder` is where a signer listens that runs by itself; empty: one is started here."""

    postgresql: str = ""  # postgresql://USER@HOST:PORT/DATABASE, without a password; empty: a file of the data folder
    postgresql_password_file: str = ""
    postgresql_ca_file: str = ""  # PEM; empty: the authorities that this machine trusts
    signer_folder: str = ""
    opening_lasts_s: Annotated[float, Field(gt=0)] = 3600  # how long a written reason opens the log to a session
    naming_lasts_s: Annotated[float, Field(gt=0)] = 24 * 3600  # how long two officers may see what they agreed on

    @field_validator("postgresql")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        if url:
            address_in(url)
        return url

    @property
    def postgresql_address(self) -> PostgresqlAddress:
        """Where the log is kept. Raises ValueError when that is a file."""
        return address_in(self.postgresql)


class RetentionSettings(Section):
    """For how long the content of the query log and of conversations is kept; without a profile, for ever."""

    profile: str = ""
    profiles: Mapping[str, Annotated[int, Field(ge=0)]] = {}  # own ones: whole months after the month itself
    groups: Mapping[str, str] = {}  # the profile of what people of a group asked, where it is another one

    @model_validator(mode="after")
    def _the_profiles_are_some(self) -> Self:
        for profile in {self.profile, *self.groups.values()} - {""}:
            if profile not in self._all():
                raise ValueError(f"names a profile that is not among them: write {', '.join(sorted(self._all()))}")
        if "" in self.groups.values():
            raise ValueError("gives a group no profile: name one, or leave the group out")
        return self

    def profile_of(self, groups: Iterable[str]) -> str:
        """The profile of what somebody with these groups asked: of theirs the longest, or that of everybody."""
        theirs = [self.groups[group] for group in groups if group in self.groups]
        return max(sorted(theirs), key=lambda profile: self._all()[profile], default=self.profile)

    def months_of(self, profile: str) -> int | None:
        """For how many whole months after its own the content of a month is kept; None: for ever."""
        return self._all().get(profile)

    def _all(self) -> dict[str, int]:
        return {**_PROFILES, **self.profiles}


_PROFILES: Mapping[str, int] = {"standard": 6, "bank": 60}


class Settings(Section):
    """Everything that can be set. See docs/reference/settings.md."""

    data_dir: Path = Path("var")
    server: ServerSettings = ServerSettings()
    index: IndexSettings = IndexSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    model: ModelSettings = ModelSettings()
    ingest: IngestSettings = IngestSettings()
    cluster: ClusterSettings = ClusterSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    sign_in: SignInSettings = SignInSettings()
    oidc: OidcSettings = OidcSettings()
    trusted_header: TrustedHeaderSettings = TrustedHeaderSettings()
    ldap: LdapSettings = LdapSettings()
    access: AccessSettings = AccessSettings()
    log: LogSettings = LogSettings()
    retention: RetentionSettings = RetentionSettings()
    monitoring: MonitoringSettings = MonitoringSettings()


ALIASES: Mapping[str, tuple[str, ...]] = {"QDRANT_URL": ("index", "url"), "OLLAMA_HOST": ("model", "ollama_host")}
"""Variables other tools use for the same thing, and the setting each one sets."""

CONFIG_VARIABLE = "STRONGROOM_CONFIG"
FOREIGN_VARIABLES = ("STRONGROOM_TEST_", "STRONGROOM_API_URL")
"""Beginnings of variables that other parts of the project read; they are not settings."""


def load_settings(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings in force: defaults, then the TOML file, then the environment.

    Args:
        path: The file; without it `STRONGROOM_CONFIG`, then `strongroom.toml` here if there is one.
        environ: The environment; the process's own if not given. `STRONGROOM_SERVER__PORT` sets `server.port`.

    Raises:
        ConfigurationError: A file that cannot be read, an unknown key, or a value of the wrong kind.
    """
    environ = os.environ if environ is None else environ
    values = _read_file(path or configured_file(environ))
    for name, keys in ALIASES.items():
        if environ.get(name):
            _put(values, keys, environ[name])
    for name, value in sorted(environ.items()):
        if name.startswith("STRONGROOM_") and name != CONFIG_VARIABLE and not name.startswith(FOREIGN_VARIABLES):
            keys = tuple(name.removeprefix("STRONGROOM_").lower().split("__"))
            _put(values, keys, _from_environment(value))
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(_explain(error)) from error


def configured_file(environ: Mapping[str, str] | None = None) -> Path | None:
    """The settings file that is used when none is named, if there is one."""
    environ = os.environ if environ is None else environ
    if environ.get(CONFIG_VARIABLE):
        return Path(environ[CONFIG_VARIABLE])
    here = Path("strongroom.toml")
    return here if here.is_file() else None


def _read_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))  # editors on Windows put a byte order mark in front
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The settings file {path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"The settings file {path} is not valid TOML: {error}.") from error


def _put(values: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    for key in keys[:-1]:
        inner = values.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ConfigurationError(f"Setting '{key}' is a value, not a section; '{'.'.join(keys)}' cannot be set.")
        values = inner
    values[keys[-1]] = value


def _from_environment(value: str) -> Any:
    """Lists are written `["a", "b"]`, as in the file; everything else is left to the setting's own type."""
    if value.startswith("["):
        try:
            return tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            return value
    return value


def _explain(error: ValidationError) -> str:
    problems = []
    for item in error.errors(include_url=False, include_input=False):
        key = named(item["loc"])
        wrong = told(item["type"], item.get("ctx"))
        problems.append(f"unknown setting '{key}'" if item["type"] == "extra_forbidden" else f"'{key}' {wrong}")
    return f"Settings are wrong: {'; '.join(problems)}. See docs/reference/settings.md."
