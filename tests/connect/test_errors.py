"""The error tree: every error says who is to blame and what to do, in two voices."""

from __future__ import annotations

from pathlib import Path

import pytest

from duijie.connect import errors
from duijie.connect.errors import (
    AlreadyThere,
    AnswerLost,
    ConfigError,
    CredentialError,
    OutcomeUnknown,
    RateLimited,
    Terminal,
    TokenExpired,
    Transient,
    UnmappedCode,
    VendorBusy,
    VendorRejected,
)
from duijie.connect.errortable import ErrorTable
from duijie.connect.protocol import Later
from duijie.connect.retry import outcome_of

TABLE = """
system: shop
codes:
  "27": {action: refresh_token, zh: 授权失效, en: session expired}
  "isv.dup*": {action: already_there, zh: 单号已存在, en: the number exists}
  "isv.*": {action: reject, zh: "对方拒绝: {text}", en: "refused: {text}"}
  "7": {action: wait, zh: 限流, en: limited}
  "29": {action: credential, zh: 密钥错误, en: bad key}
  "15": {action: retry, zh: 繁忙, en: busy}
  "16": {action: retry, after: 3600, zh: 未完成, en: open}
  "500": {action: look_up, zh: 未知, en: unknown}
default: {action: reject, zh: "{code} {text}", en: "{code} {text}"}
"""


@pytest.fixture
def table(tmp_path: Path) -> ErrorTable:
    path = tmp_path / "errors.yaml"
    path.write_text(TABLE, encoding="utf-8")
    return ErrorTable.load(path)


def test_every_leaf_is_exactly_one_of_terminal_transient_or_unknown() -> None:
    tree = [cls for name in errors.__all__ if isinstance(cls := getattr(errors, name), type)]
    leaves = [cls for cls in tree if cls not in (errors.DuijieError,)]
    for cls in leaves:
        assert sum(issubclass(cls, kind) for kind in (Terminal, Transient, OutcomeUnknown)) == 1, cls
        assert cls.blame in ("config", "data", "vendor", "network")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("27", TokenExpired),
        ("isv.dup-number", AlreadyThere),
        ("isv.invalid", VendorRejected),
        ("7", RateLimited),
        ("29", CredentialError),
        ("15", VendorBusy),
        ("500", AnswerLost),
        ("other", VendorRejected),
    ],
)
def test_a_vendor_code_becomes_one_error(table: ErrorTable, code: str, kind: type[errors.DuijieError]) -> None:
    error = table.error(code, "原因")
    assert type(error) is kind
    assert error.code == f"shop:{code}"


def test_the_vendors_words_reach_the_reader(table: ErrorTable) -> None:
    error = table.error("isv.x", "税号不正确", where="TB1")
    assert error.zh == "对方拒绝: 税号不正确"
    assert str(error) == "[shop:isv.x] refused: 税号不正确 (TB1)"


def test_waiting_takes_the_vendors_seconds(table: ErrorTable) -> None:
    error = table.error("7", retry_after=12.0)
    assert isinstance(error, RateLimited)
    assert error.retry_after == 12.0


def test_a_row_says_how_long_it_takes_until_another_try_can_help(table: ErrorTable) -> None:
    error = table.error("16")
    assert isinstance(error, VendorBusy)
    assert error.retry_after == 3600.0
    assert outcome_of(error) == Later("未完成", "open", 3600.0)
    assert outcome_of(table.error("15")) == Later("繁忙", "busy", 5.0)


@pytest.mark.parametrize("row", ["action: reject, after: 60", "action: retry, after: soon", "action: wait, after: 0"])
def test_seconds_that_no_waiting_action_uses_name_the_row(tmp_path: Path, row: str) -> None:
    path = tmp_path / "errors.yaml"
    path.write_text(TABLE.replace("action: wait", row), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"errors\.yaml:7: after must be a positive whole number"):
        ErrorTable.load(path)


OPEN_FORM = ("nuonuo", "baiwang", "gaodeng", "leqi", "piaozone", "piaotong", "taxinvoice", "aisino")


@pytest.mark.parametrize("connector", OPEN_FORM)
def test_a_red_form_that_may_stay_open_for_days_is_tried_again_by_the_hour(connector: str) -> None:
    shipped = ErrorTable.load(Path(__file__).parents[2] / "connectors" / connector / "errors.yaml")
    later = outcome_of(shipped.error("open-form", "存在未完成的红字信息确认单"))
    assert isinstance(later, Later)
    assert later.after == 3600.0


def test_an_unknown_action_names_the_row_and_the_choices(tmp_path: Path) -> None:
    path = tmp_path / "errors.yaml"
    path.write_text(TABLE.replace("action: wait", "action: sleep"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"errors\.yaml:7: action must be one of retry"):
        ErrorTable.load(path)


def test_an_unmapped_code_names_the_missing_row_and_the_next_step() -> None:
    error = UnmappedCode("product", "SKU9")
    assert (error.kind, error.key) == ("product", "SKU9")
    assert "补一行" in error.zh
