"""The client of Ollama, against a server that speaks its API; some tests also against a live Ollama.

The live tests run when OLLAMA_HOST is set and answers. STRONGROOM_TEST_OLLAMA_MODEL names the model; without it the
first model of the server is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import httpx
import pytest

from appliance.errors import ConfigurationError, ContextOverflow, ModelUnavailable
from appliance.inference.ollama import OllamaModel
from appliance.inference.port import Generation, Message, MessageRole
from appliance.inference.token_bound import at_most_tokens
from appliance.inference.watch import MAX_PART_BYTES
from appliance.inference.wire import Ending
from tests.appliance.inference.misbehaving_server import answer, misbehaving_server, unused_url
from tests.appliance.inference.ollama_server import DIGEST, MODEL, TRAINED_CONTEXT, Mode, OllamaServer, ollama_server
from tests.data.tiny_gguf import byte_level_fields, train_tokenizer

pytestmark = pytest.mark.integration

GENERATION = Generation(context_tokens=2048, max_tokens=16, seed=3)
SECRET = "Zinnober"  # a word of the question; it may turn up in no error
QUESTION = (Message(MessageRole.SYSTEM, "Answer briefly."), Message(MessageRole.USER, f"Where is {SECRET} kept?"))


def _model(host: str, name: str = MODEL, context_tokens: int = 8192, token_timeout_s: float = 5.0) -> OllamaModel:
    return OllamaModel(
        host, name, context_tokens=context_tokens, connect_timeout_s=2.0, token_timeout_s=token_timeout_s
    )


@dataclass(frozen=True)
class Peer:
    host: str
    name: str


@pytest.fixture(params=["speaks the API", "live"])
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    if request.param == "live":
        yield _live_peer()
        return
    with ollama_server() as server:
        yield Peer(server.url, MODEL)


def _live_peer() -> Peer:
    host = os.environ.get("OLLAMA_HOST", "")
    if not host:
        pytest.skip("OLLAMA_HOST is not set")
    url = host if "://" in host else f"http://{host}"
    try:
        models = httpx.get(f"{url}/api/tags", timeout=3, trust_env=False).json()["models"]
    except httpx.HTTPError:
        pytest.skip(f"no Ollama answers at {url}")
    name = os.environ.get("STRONGROOM_TEST_OLLAMA_MODEL") or (models[0]["name"] if models else "")
    if not name:
        pytest.skip("the live Ollama has no model")
    return Peer(url, name)


def test_an_answer_comes_in_pieces(peer: Peer) -> None:
    model = _model(peer.host, peer.name, token_timeout_s=300)
    assert "".join(model.stream(QUESTION, GENERATION)).strip()
    model.close()
    model.close()


def test_the_card_tells_digest_and_window(peer: Peer) -> None:
    card = _model(peer.host, peer.name, context_tokens=512).card()
    assert card.provider == "ollama"
    assert card.name == peer.name
    assert card.digest.startswith("sha256:") and len(card.digest) == 71
    assert card.context_tokens == 512


def test_a_prompt_longer_than_the_window_is_refused(peer: Peer) -> None:
    with pytest.raises(ContextOverflow):
        list(_model(peer.host, peer.name).stream((Message(MessageRole.USER, "records " * 5000),), GENERATION))


def test_a_model_that_is_not_there_is_reported_with_what_to_do(peer: Peer) -> None:
    model = _model(peer.host, "no-such-model:7b")
    for use in (model.card, lambda: next(model.stream(QUESTION, GENERATION))):
        with pytest.raises(
            ModelUnavailable, match=r"'no-such-model:7b' is not on the Ollama server .* `ollama create`"
        ):
            use()


def test_closing_the_iterator_leaves_the_server_usable(peer: Peer) -> None:
    model = _model(peer.host, peer.name, token_timeout_s=300)
    pieces = model.stream(QUESTION, replace(GENERATION, max_tokens=512))
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert list(model.stream(QUESTION, GENERATION))


def test_every_request_sets_the_window_and_forbids_cutting() -> None:
    with ollama_server() as server:
        list(_model(server.url).stream(QUESTION, GENERATION))
    (chat,) = server.chats()
    assert chat["options"] == {"num_ctx": 2048, "num_predict": 16, "temperature": 0.0, "seed": 3}
    assert chat["truncate"] is False
    assert chat["shift"] is False
    assert chat["stream"] is True
    assert chat["messages"] == [{"role": message.role.value, "content": message.content} for message in QUESTION]
    assert "tools" not in chat and "think" not in chat


def test_no_more_context_is_asked_for_than_the_model_was_trained_for() -> None:
    with ollama_server() as server:
        model = _model(server.url, context_tokens=100_000)
        assert model.card().context_tokens == TRAINED_CONTEXT
        list(model.stream(QUESTION, replace(GENERATION, context_tokens=100_000)))
    assert server.chats()[0]["options"]["num_ctx"] == TRAINED_CONTEXT


LONG = "The inspection records are kept for ten years. " * 40


def _asked_for_a_vocabulary(server: OllamaServer) -> int:
    return sum(body.get("verbose") is True for _, body in server.requests)


def test_tokens_are_counted_with_the_tokenizer_that_ollama_shows_of_the_model() -> None:
    with ollama_server(tokenizer=byte_level_fields()) as server:
        model = _model(server.url)
        count = model.count_tokens(LONG)
        assert count == len(train_tokenizer().encode(LONG, add_special_tokens=False).ids)
        assert count < at_most_tokens(LONG)
        assert model.count_tokens(LONG + "\ud800") == model.count_tokens(LONG + "?")
    assert _asked_for_a_vocabulary(server) == 1


def test_another_file_of_the_same_name_is_counted_with_its_own_tokenizer() -> None:
    fields = byte_level_fields()
    with ollama_server(tokenizer=fields) as server:
        model = _model(server.url)
        model.card()
        whole = model.count_tokens(LONG)
        server.digest = "cd" * 32
        server.tokenizer = {**fields, "tokenizer.ggml.merges": fields["tokenizer.ggml.merges"][:20]}
        assert model.count_tokens(LONG) == whole  # nobody has looked at the model since
        model.card()
        assert model.count_tokens(LONG) > whole
    assert _asked_for_a_vocabulary(server) == 2


def test_a_vocabulary_is_not_asked_for_to_count_what_is_short() -> None:
    with ollama_server(tokenizer=byte_level_fields()) as server:
        assert _model(server.url).count_tokens("ten years") == at_most_tokens("ten years")
    assert server.requests == []


def test_a_vocabulary_may_be_larger_than_an_answer() -> None:
    fields = {**byte_level_fields(), "tokenizer.ggml.token_type": [1] * (MAX_PART_BYTES // 2)}
    with ollama_server(tokenizer=fields) as server:
        assert _model(server.url).count_tokens(LONG) < at_most_tokens(LONG)


def test_a_server_that_shows_no_vocabulary_is_asked_once_and_the_bound_stands_in() -> None:
    with ollama_server() as server:
        model = _model(server.url)
        assert [model.count_tokens(LONG) for _ in range(3)] == [at_most_tokens(LONG)] * 3
    assert _asked_for_a_vocabulary(server) == 1


def test_a_server_that_fails_to_show_one_is_left_alone_for_a_while() -> None:
    with misbehaving_server({"/api/show": [answer(b"no object")]}) as server:
        model = _model(server.url)
        assert [model.count_tokens(LONG) for _ in range(3)] == [at_most_tokens(LONG)] * 3
    assert len(server.requests) == 1


def test_a_prompt_that_fits_by_the_models_own_count_is_sent() -> None:
    message = (Message(MessageRole.USER, LONG),)
    small = replace(GENERATION, context_tokens=at_most_tokens(LONG))
    with ollama_server() as server, pytest.raises(ContextOverflow, match="Use fewer passages"):
        next(_model(server.url).stream(message, small))
    with ollama_server(tokenizer=byte_level_fields()) as server:
        assert "".join(_model(server.url).stream(message, small)) == "Ten years."
        with pytest.raises(ContextOverflow, match="Use fewer passages"):
            next(_model(server.url).stream((Message(MessageRole.USER, LONG * 3),), small))


def test_a_thinking_model_is_asked_not_to_think_and_its_thinking_is_never_shown() -> None:
    with ollama_server(thinking=["Let", " me"], capabilities=["completion", "thinking"]) as server:
        assert "".join(_model(server.url).stream(QUESTION, GENERATION)) == "Ten years."
        assert server.chats()[0]["think"] is False
        server.words = ["<th", "ink>Let me", "</think>\n\n", "Ten", " years."]
        assert "".join(_model(server.url).stream(QUESTION, GENERATION)) == "Ten years."


def test_the_card_names_the_weights_as_the_server_lists_them() -> None:
    with ollama_server() as server:
        card = _model(server.url, "tiny").card()  # no tag means "latest"
    assert (card.digest, card.quantisation) == (f"sha256:{DIGEST}", "Q4_K_M")


def test_a_model_on_another_host_is_refused() -> None:
    with ollama_server(remote_host="https://models.example") as server:
        with pytest.raises(ModelUnavailable, match="outside this room"):
            next(_model(server.url).stream(QUESTION, GENERATION))
        assert server.chats() == []


@pytest.mark.parametrize(
    ("mode", "expected", "words"),
    [
        (Mode.ERROR, ModelUnavailable, "error 500"),
        (Mode.BUSY, ModelUnavailable, "is busy"),
        (Mode.OUT_OF_MEMORY, ModelUnavailable, "too little memory"),
        (Mode.OVERFLOW, ContextOverflow, "longer than the window"),
        (Mode.REDIRECT, ModelUnavailable, "error 302"),
    ],
)
def test_a_refusal_is_named_and_quotes_nobody(mode: Mode, expected: type[Exception], words: str) -> None:
    with ollama_server(mode=mode) as server, pytest.raises(expected, match=words) as raised:
        list(_model(server.url).stream(QUESTION, GENERATION))
    assert type(raised.value) is expected
    assert SECRET not in str(raised.value)
    assert len(server.requests) == 2  # show and one chat: nothing was followed or tried again


@pytest.mark.parametrize(
    ("mode", "expected", "words"),
    [
        (Mode.GONE_MIDSTREAM, ModelUnavailable, "broke off"),
        (Mode.ENDS_EARLY, ModelUnavailable, "too soon"),
        (Mode.ERROR_MIDSTREAM, ModelUnavailable, "error 500"),
        (Mode.GARBAGE_MIDSTREAM, ModelUnavailable, "does not answer like Ollama"),
        (Mode.OVERFLOW_MIDSTREAM, ContextOverflow, "longer than the window"),
        (Mode.SLOW, ModelUnavailable, "sent nothing of an answer for 0.4 seconds"),
    ],
)
def test_an_answer_that_breaks_off_is_an_error(mode: Mode, expected: type[Exception], words: str) -> None:
    pieces: list[str] = []
    with ollama_server(mode=mode) as server, pytest.raises(expected, match=words) as raised:
        for piece in _model(server.url, token_timeout_s=0.4).stream(QUESTION, GENERATION):
            pieces.append(piece)
    assert pieces == ["Ten"]
    assert type(raised.value) is expected
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("mode", "words"), [(Mode.CUTS_PROMPT, "cut the prompt"), (Mode.WINDOW_FULL, "window was full")]
)
def test_the_servers_own_figures_give_a_cut_away(mode: Mode, words: str) -> None:
    with ollama_server(mode=mode) as server, pytest.raises(ContextOverflow, match=words):
        list(_model(server.url).stream(QUESTION, GENERATION))


@pytest.mark.parametrize("mode", [Mode.WINDOW_FULL, Mode.CUTS_PROMPT])
def test_the_server_tells_whether_an_answer_was_cut(mode: Mode) -> None:
    short = (Message(MessageRole.USER, "7"),)  # of one word nothing can be cut away
    with ollama_server(mode=mode, words=["Ten", " years"]) as server:
        ending = Ending(_model(server.url).stream(short, replace(GENERATION, max_tokens=2)))
        assert "".join(ending) == "Ten years"
    assert ending.is_cut is (mode is Mode.WINDOW_FULL)


def test_a_prompt_that_may_not_fit_is_not_even_sent() -> None:
    with ollama_server() as server:
        with pytest.raises(ContextOverflow, match="window has 2,048"):
            next(_model(server.url).stream((Message(MessageRole.USER, "7" * 2048),), GENERATION))
        assert server.chats() == []


def test_line_separators_inside_an_answer_do_not_break_it() -> None:
    words = ["one\u0085two", "\u2028three", "\x0bfour\n"]
    with ollama_server(words=words) as server:
        assert list(_model(server.url).stream(QUESTION, GENERATION)) == words


def test_nobody_listening_is_reported_with_what_to_do() -> None:
    model = _model(unused_url())
    for use in (model.card, lambda: next(model.stream(QUESTION, GENERATION))):
        with pytest.raises(ModelUnavailable, match=r"Start it, or set model\.ollama_host"):
            use()


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[1, 2]", b"\xff\xfe"])
def test_a_server_that_is_something_else_is_reported(body: bytes) -> None:
    server = misbehaving_server({"/api/show": [answer(body)], "/api/tags": [answer(body)]})
    with server as running, pytest.raises(ModelUnavailable, match="does not answer like Ollama"):
        _model(running.url).card()


@pytest.mark.parametrize("models", [b'{"models": 7}', b'{"models": [7]}', b'{"models": [{"name": "other"}]}', b"{}"])
def test_a_list_of_models_of_another_shape_lists_no_model(models: bytes) -> None:
    answers = {
        "/api/show": [answer(b'{"model_info": [], "details": 7, "capabilities": 7}')],
        "/api/tags": [answer(models)],
    }
    with misbehaving_server(answers) as running, pytest.raises(ModelUnavailable, match="is not on the Ollama server"):
        _model(running.url).card()


def test_closing_the_iterator_closes_the_connection() -> None:
    with ollama_server(mode=Mode.SLOW) as server:
        pieces = _model(server.url).stream(QUESTION, GENERATION)
        assert next(pieces) == "Ten"
        pieces.close()  # type: ignore[attr-defined]
        assert server.peer_left.wait(5)


def test_a_model_that_is_closed_under_a_stream_ends_it_with_an_error() -> None:
    with ollama_server(mode=Mode.SLOW) as server:
        model = _model(server.url)
        pieces = model.stream(QUESTION, GENERATION)
        next(pieces)
        model.close()
        with pytest.raises(ModelUnavailable, match="broke off"):
            next(pieces)
        with pytest.raises(ModelUnavailable):
            model.card()


def test_proxies_and_keys_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("OLLAMA_API_KEY", "from-the-environment")
    with misbehaving_server({"/api/show": [answer(b'{"model_info": {}}')], "/api/tags": [answer(_TAGS)]}) as server:
        _model(server.url).card()
    assert all(b"from-the-environment" not in request for request in server.requests)


def test_what_is_shown_of_a_model_is_asked_again_when_it_is_another() -> None:
    answers = {"/api/tags": [answer(_TAGS)], "/api/show": [answer(b'{"details": {"quantization_level": "Q4_K_M"}}')]}
    with misbehaving_server(answers) as server:
        model = _model(server.url)
        before = [model.card() for _ in range(2)]
        answers["/api/show"] = [answer(b'{"details": {"quantization_level": "Q8_0"}}')]
        same = model.card()
        answers["/api/tags"] = [answer(_TAGS.replace(b'"00"', b'"11"'))]
        other = model.card()
    assert {(card.digest, card.quantisation) for card in (*before, same)} == {("sha256:00", "Q4_K_M")}
    assert (other.digest, other.quantisation) == ("sha256:11", "Q8_0")
    assert sum(request.startswith(b"POST /api/show") for request in server.requests) == 2


_TAGS = b'{"models": [{"name": "tiny:latest", "digest": "00"}]}'


@pytest.mark.parametrize(
    "spelling", ["http://127.0.0.1:{port}", "http://127.0.0.1:{port}/", "127.0.0.1:{port}", "0.0.0.0:{port}"]
)
def test_a_host_may_be_spelt_as_ollama_allows(spelling: str) -> None:
    with ollama_server() as server:
        host = spelling.format(port=server.url.rsplit(":", 1)[1])
        assert _model(host).card().name == MODEL


@pytest.mark.parametrize("host", ["http://", "127.0.0.1:port", "http://127.0.0.1:99999999"])
def test_a_host_that_is_no_address_is_a_wrong_setting(host: str) -> None:
    with pytest.raises(ConfigurationError, match="ollama_host"):
        _model(host)
