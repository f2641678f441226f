"""A connection that was disabled is put back into use from its work item, by those who may act."""

from __future__ import annotations

from fastapi.testclient import TestClient

from duijie.connect.line import STRIKES, State
from duijie.journal import Journal, lines
from tests.console.conftest import form_token, log_in


def struck_out(kept: Journal) -> str:
    board = lines.JournalBoard(kept)
    for number in range(STRIKES):
        board.change("psi", lambda state, at=1.8e9 + number * 60: state.struck(at, "密钥错误"))  # type: ignore[misc]
    return "/work/2"


def test_the_button_enables_it_and_closes_the_item(kept: Journal, ops: TestClient) -> None:
    path = struck_out(kept)
    page = ops.get(path).text
    assert "恢复使用" in page
    assert "重放" not in page.split("恢复使用")[1]
    answer = ops.post(f"{path}/enable", data={"csrf": form_token(page)})
    assert "连接 psi 已恢复使用" in answer.text
    assert "连接已恢复使用" in answer.text
    assert lines.all_states(kept)["psi"] == State()


def test_it_cannot_be_closed_while_the_connection_is_disabled(kept: Journal, ops: TestClient) -> None:
    assert "处理说明" not in ops.get(struck_out(kept)).text


def test_a_viewer_may_not(kept: Journal, anybody: TestClient) -> None:
    path = struck_out(kept)
    log_in(anybody, "look")
    page = anybody.get(path).text
    assert "恢复使用</button>" not in page
    assert anybody.post(f"{path}/enable", data={"csrf": form_token(page)}).status_code == 403
