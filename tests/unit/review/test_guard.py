"""Only requests from the page itself are answered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.review.guard import is_own_name, new_token, why_refused

TOKEN = "secret-token"


def refused(path=f"/{TOKEN}/", host="127.0.0.1", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return why_refused(path, {"Host": "127.0.0.1:8642", **named}, TOKEN, host)


def test_the_page_itself_is_answered():
    assert not refused()
    assert not refused(Origin="http://127.0.0.1:8642", Sec_Fetch_Site="same-origin", Sec_Fetch_Mode="cors")
    assert not refused(Sec_Fetch_Site="none", Sec_Fetch_Mode="navigate")
    # A link in another program's window: nothing is changed by opening the page.
    assert not refused(Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")


@given(st.text(max_size=30))
def test_no_other_token_is_accepted(text):
    if text.partition("/")[0] != TOKEN:
        assert refused(f"/{text}")


@pytest.mark.parametrize("path", ["/", "", "/api/review", f"/{TOKEN}x/", f"/{TOKEN[:-1]}/", f"//{TOKEN}/", "/\ud800/"])
def test_without_the_token_nothing_is_answered(path):
    assert "token" in refused(path)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:8642", "http://127.0.0.1:9999", ""]
)
def test_another_origin_is_refused(origin):
    assert "another site" in refused(Origin=origin)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_request_from_another_site_is_refused(site):
    assert "another site" in refused(Sec_Fetch_Site=site, Sec_Fetch_Mode="cors")


@pytest.mark.parametrize(
    ("named", "host", "is_own"),
    [
        ("127.0.0.1:8642", "127.0.0.1", True),
        ("localhost:32768", "0.0.0.0", True),
        ("[::1]:8642", "::1", True),
        ("192.168.0.7:8642", "0.0.0.0", True),
        ("box.lab:8642", "box.lab", True),
        ("BOX.lab", "box.lab", True),
        ("evil.example:8642", "127.0.0.1", False),
        ("localhost.evil.example", "127.0.0.1", False),
        ("127.0.0.1.evil.example", "127.0.0.1", False),
        ("", "127.0.0.1", False),
        ("[", "127.0.0.1", False),
        ("user@127.0.0.1", "127.0.0.1", True),
    ],
)
def test_names_that_another_site_can_have_are_refused(named, host, is_own):
    assert is_own_name(named, host) is is_own


def test_tokens_differ_and_are_long():
    tokens = {new_token() for _ in range(50)}
    assert len(tokens) == 50
    assert min(map(len, tokens)) >= 40
