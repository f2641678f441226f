"""The door from inside, and forms from elsewhere."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.console.conftest import PASSWORD, form_token, log_in


def test_a_viewer_can_leave(anybody: TestClient) -> None:
    log_in(anybody, "look")
    token = form_token(anybody.get("/").text)
    assert anybody.post("/logout", data={"csrf": token}, follow_redirects=False).status_code == 303
    assert anybody.get("/", follow_redirects=False).headers["location"] == "/login"


def test_leaving_needs_the_token_too(anybody: TestClient) -> None:
    log_in(anybody, "look")
    assert anybody.post("/logout", data={"csrf": "x"}, follow_redirects=False).status_code == 403
    assert anybody.get("/", follow_redirects=False).status_code == 200


@pytest.mark.parametrize("token", ["", "-"])
def test_a_login_form_from_a_browser_that_never_saw_ours_is_refused(anybody: TestClient, token: str) -> None:
    form = {"csrf": token, "name": "ops", "password": PASSWORD}
    assert anybody.post("/login", data=form, follow_redirects=False).status_code == 200
    assert anybody.get("/", follow_redirects=False).status_code == 303
