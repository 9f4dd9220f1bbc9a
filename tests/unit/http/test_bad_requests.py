"""Catalogue lines 4, 8 to 19, 27, 33 to 35: what is sent wrong is named, and never repeated."""

from typing import Any

import httpx2
import pytest

from tests.support.http_sample import ENTRY

JSON = {"Content-Type": "application/json"}
SECRET = "Jane-Roe-555-0100"


async def sent(http: httpx2.AsyncClient, body: bytes | str) -> httpx2.Response:
    return await http.post("/entries", content=body, headers=JSON)


async def test_an_entry_as_documented_is_taken(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/entries", json=ENTRY)
    assert (answer.status_code, answer.json()["id"]) == (201, "e1")


MALFORMED = {
    "broken": (b'{"id": "Jane-Roe-555-0100",', "json_malformed"),
    "two documents": (b"{} {}", "json_malformed"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "json_malformed"),
    "broken UTF-8": (b'{"id": "\xff\xfe"}', "json_malformed"),
    "UTF-16": ('{"id": "a"}'.encode("utf-16"), "json_malformed"),
    "a control character": (b'{"id": "a\x00b"}', "json_malformed"),
    "the same key twice": (b'{"id": "a", "id": "Jane-Roe-555-0100"}', "json_duplicate_key"),
    "the same key twice, deep": (b'{"a": [{"b": {"c": 1, "c": 2}}]}', "json_duplicate_key"),
    "NaN": (b'{"score": NaN}', "json_not_a_number"),
    "-Infinity": (b'{"score": -Infinity}', "json_not_a_number"),
    "1e400": (b'{"score": 1e400}', "json_not_a_number"),
    "65 nested arrays": (b"[" * 65 + b"]" * 65, "json_too_deep"),
    "65 nested objects": (b'{"a":' * 65 + b"1" + b"}" * 65, "json_too_deep"),
    "100,000 nested arrays": (b"[" * 100_000 + b"]" * 100_000, "json_too_deep"),
    "100,000 opened arrays": (b"[" * 100_000, "json_too_deep"),
}


@pytest.mark.parametrize("kind", MALFORMED)
async def test_what_is_no_json_is_answered_with_400(http: httpx2.AsyncClient, kind: str) -> None:
    body, reason = MALFORMED[kind]
    answer = await sent(http, body)
    assert (answer.status_code, answer.json()["reason"]) == (400, reason)
    assert SECRET not in answer.text


async def test_sixty_four_levels_are_deep_enough(http: httpx2.AsyncClient) -> None:
    assert (await sent(http, b"[" * 64 + b"1" + b"]" * 64)).status_code == 422


UNFIT: dict[str, tuple[dict[str, Any], str, str]] = {
    "an extra field": ({SECRET: SECRET}, "body", "extra_forbidden"),
    "an integer in quotes": ({"score": "2"}, "body.score", "int_type"),
    "a real for an integer": ({"score": 2.0}, "body.score", "int_type"),
    "true for an integer": ({"score": True}, "body.score", "int_type"),
    "a score out of range": ({"score": 4}, "body.score", "less_than_equal"),
    "an operator as an id": ({"id": {"$ne": None}}, "body.id", "string_type"),
    "a name as an id": ({"id": "Jane Roe"}, "body.id", "string_pattern_mismatch"),
    "a naive instant": ({"at": "2026-03-02T15:00:00"}, "body.at", "datetime_without_offset"),
    "an instant as a number": ({"at": 1772460000}, "body.at", "datetime_form"),
    "an instant as a number in quotes": ({"at": "1772460000"}, "body.at", "datetime_form"),
    "an instant before all others": ({"at": "0001-01-01T00:00:00+14:00"}, "body.at", "datetime_out_of_range"),
    "second 60": ({"at": "2026-03-02T15:00:60Z"}, "body.at", "datetime_from_date_parsing"),
    "a day with a time": ({"born": "1980-01-01T10:00:00"}, "body.born", "date_form"),
    "no body at all": ({}, "body.id", "missing"),
}


@pytest.mark.parametrize("kind", UNFIT)
async def test_a_field_that_does_not_fit_is_named_and_not_repeated(
    http: httpx2.AsyncClient, kind: str
) -> None:
    change, field, problem = UNFIT[kind]
    answer = await http.post("/entries", json=ENTRY | change if change else {})
    found = answer.json()
    assert (answer.status_code, found["reason"]) == (422, "invalid")
    assert (found["errors"][0]["field"], found["errors"][0]["problem"]) == (field, problem)
    assert field in found["detail"]


@pytest.mark.parametrize("field", ["id", "score", "steps", "at", "born", "title", SECRET])
@pytest.mark.parametrize("value", [SECRET + " ", {SECRET: [SECRET]}, [SECRET], SECRET * 10])
async def test_no_answer_repeats_what_a_person_wrote(
    http: httpx2.AsyncClient, field: str, value: Any
) -> None:
    answer = await http.post("/entries", json=ENTRY | {field: value})
    if answer.status_code != 201:
        assert answer.status_code == 422
        assert SECRET not in answer.text


async def test_the_allowed_range_is_said(http: httpx2.AsyncClient) -> None:
    found = (await http.post("/entries", json=ENTRY | {"score": -1})).json()
    assert found["errors"][0]["allowed"] == {"ge": 0}
    assert found["detail"] == "body.score must be at least 0."


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
async def test_an_integer_beyond_64_bits_is_answered_with_422(http: httpx2.AsyncClient, number: int) -> None:
    answer = await http.post("/entries", json=ENTRY | {"steps": number})
    assert (answer.status_code, answer.json()["reason"]) == (422, "number_out_of_range")
    assert str(number) not in answer.text


async def test_the_largest_and_smallest_64_bit_integers_are_taken(http: httpx2.AsyncClient) -> None:
    for number in (2**63 - 1, -(2**63)):
        assert (await http.post("/entries", json=ENTRY | {"steps": number})).status_code == 201


@pytest.mark.parametrize("text", [r"a\u0000b", r"a\ud800b", r"\udfff"])
async def test_nul_and_lone_surrogates_are_answered_with_422(http: httpx2.AsyncClient, text: str) -> None:
    for body in (f'{{"title": "{text}"}}', f'{{"{text}": 1}}'):
        answer = await sent(http, body)
        assert (answer.status_code, answer.json()["reason"]) == (422, "text_unstorable")
    assert (await http.get("/entries", params={"cursor": "a\0b"})).status_code == 422


async def test_a_surrogate_pair_is_a_character_like_any_other(http: httpx2.AsyncClient) -> None:
    body = '{"id": "e1", "score": 1, "at": "2026-03-02T15:00:00Z", "title": "\\ud83d\\ude42"}'
    assert (await sent(http, body)).json()["title"] == "🙂"


async def test_line_breaks_markup_and_formulas_come_back_as_the_text_they_are(
    http: httpx2.AsyncClient,
) -> None:
    title = "=1+1\r\nSet-Cookie: a=b <script>alert(1)</script>"
    answer = await http.post("/entries", json=ENTRY | {"title": title})
    assert answer.json()["title"] == title
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/x-ndjson"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": ""},
        {**JSON, "Content-Encoding": "gzip"},
        {**JSON, "Content-Encoding": "br"},
    ],
)
async def test_another_content_type_or_encoding_is_answered_with_415(
    http: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await http.post("/entries", content=b'{"id": "e1"}', headers=headers)
    assert answer.status_code == 415
    assert answer.headers["content-type"] == "application/problem+json"


async def test_lines_of_json_are_taken_where_a_route_documents_them(http: httpx2.AsyncClient) -> None:
    lines = {"Content-Type": "application/x-ndjson"}
    assert (await http.post("/lines", content=b"{}\n{}\n", headers=lines)).json() == 2
    assert (await http.post("/lines", content=b"{}", headers=JSON)).status_code == 415


@pytest.mark.parametrize(
    "path",
    [
        "/entries/../engine",
        "/entries/..",
        "/entries/%2e%2e",
        "/entries/..%2f..%2fetc%2fpasswd",
        "/entries/a%00b",
        "/entries/a%0d%0ab",
        "/entries/a%5cb",
        "/entries/%ff",
        "/entries/" + "a" * 10_240,
        "/entries/" + "a" * 150,
        "/entries/Jane%20Roe",
        "/entries/%7B%22%24ne%22%3A1%7D",
        "/entries/",
        "//entries",
    ],
)
async def test_a_path_nothing_can_be_at_is_answered_with_404(path: str) -> None:
    status, body = await raw_get(path)
    assert status == 404
    assert b"Jane" not in body


async def raw_get(path: str) -> tuple[int, bytes]:
    """Past any client that would tidy the path up."""
    from urllib.parse import unquote

    from tests.support.http_sample import sample_app, token

    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"authorization", f"Bearer {token()}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
    }
    await sample_app()(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


@pytest.mark.parametrize(
    "limit", ["1000000000", "0", "-1", "5.0", "+5", "1_0", " 5", "five", "", "9" * 5_000]
)
async def test_a_page_size_out_of_range_is_answered_with_422(http: httpx2.AsyncClient, limit: str) -> None:
    answer = await http.get("/entries", params={"limit": limit})
    assert answer.status_code == 422
    assert "query.limit" in answer.json()["detail"]


async def test_pages_follow_one_another_until_the_last(http: httpx2.AsyncClient) -> None:
    seen, cursor = [], None
    while True:
        page = (
            await http.get("/entries", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        ).json()
        seen += [item["id"] for item in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert seen == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("cursor", ["?", "Mg==", "M", "_w", "a" * 500])
async def test_a_cursor_that_was_never_answered_is_refused(http: httpx2.AsyncClient, cursor: str) -> None:
    assert (await http.get("/entries", params={"cursor": cursor})).status_code == 422


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "TRACK", "FOO"])
async def test_trace_and_unknown_methods_are_answered_with_405(http: httpx2.AsyncClient, method: str) -> None:
    answer = await http.request(method, "/entries")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"


async def test_a_method_an_address_does_not_take_is_answered_with_those_it_does(
    http: httpx2.AsyncClient,
) -> None:
    answer = await http.delete("/entries/e1")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, PUT")


@pytest.mark.parametrize("tag", ["-7", '"x"', '"7', 'W/"7"', '"7", "8"', ""])
async def test_an_if_match_that_is_no_entity_tag_is_answered_with_400(
    http: httpx2.AsyncClient, tag: str
) -> None:
    answer = await http.put("/entries/e1", json=ENTRY, headers={"If-Match": tag})
    assert (answer.status_code, answer.json()["reason"]) == (400, "if_match_malformed")


async def test_an_outdated_if_match_is_answered_with_412_and_the_present_version(
    http: httpx2.AsyncClient,
) -> None:
    outdated = await http.put("/entries/e1", json=ENTRY, headers={"If-Match": '"6"'})
    present = await http.put("/entries/e1", json=ENTRY, headers={"If-Match": '"7"'})
    assert (outdated.status_code, outdated.headers["etag"]) == (412, '"7"')
    assert present.status_code == 200


@pytest.mark.parametrize("key", ["", "a" * 256, "a" * 300, "two words", "käse"])
async def test_an_idempotency_key_of_the_wrong_form_is_answered_with_400(
    http: httpx2.AsyncClient, key: str
) -> None:
    answer = await http.post("/entries", json=ENTRY, headers={b"Idempotency-Key": key.encode("latin-1")})
    assert (answer.status_code, answer.json()["reason"]) == (400, "idempotency_key_malformed")
