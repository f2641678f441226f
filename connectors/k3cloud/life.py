"""The life of a document: Z draft → A created → B in review → C audited, D to be reviewed again.

A step is taken by what the document's status is now, never by what we believe: so a lost answer is asked after, and
going a way twice changes nothing. Source: 金蝶云星空 WebAPI "提交", "审核", "反审核", "撤销", "删除".
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.k3cloud.client import Client
from connectors.k3cloud.queries import asking, literal
from duijie.connect.errors import AnswerLost, DuijieError, OutcomeUnknown, VendorRejected
from duijie.connect.retry import Retrier

STEPS_AT_MOST = 6
_BACK = {"C": "UnAudit", "B": "CancelAssign"}
_SUBMIT = dict.fromkeys("ZAD", "Submit")
WAYS: Mapping[str, Mapping[str, str]] = {
    "save": {},
    "submit": _SUBMIT,
    "audit": {**_SUBMIT, "B": "Audit"},
    "edit": _BACK,
    "gone": {**_BACK, **dict.fromkeys("ZAD", "Delete")},
}


class LifeCycle:
    """Leads the documents of one form from one status to another."""

    def __init__(self, client: Client, retrier: Retrier, form_id: str, key: str) -> None:
        self._client = client
        self._retrier = retrier
        self._form_id = form_id
        self._key = key

    def status(self, native_id: str) -> str:
        """FDocumentStatus as it is now; "" where there is no such document."""
        condition = f"{self._key} = {int(native_id) if native_id.isdigit() else literal(native_id)}"
        ask = asking(self._form_id, ["FDocumentStatus"], condition, "", 1)
        rows = self._retrier.read(lambda: self._client.query(ask))
        return str(rows[0][0]) if rows else ""

    def reach(self, native_id: str, goal: str) -> None:
        """Step by step to one of WAYS' ends. Raises what stopped it: VendorRejected, OutcomeUnknown, Transient."""
        trouble: DuijieError | None = None
        for _ in range(STEPS_AT_MOST):
            status = self.status(native_id)
            step = WAYS[goal].get(status)
            if step is None:
                return
            trouble = self._tried(step, native_id)
            if isinstance(trouble, VendorRejected) and self.status(native_id) == status:
                raise trouble
        raise trouble or AnswerLost(
            f"单据 {native_id} 的状态反复变化; 请在星空中查看是否有人同时操作, 稍后重放",
            en=f"the status of {native_id} keeps changing; see who else works on it, then replay",
            where=native_id,
        )

    def _tried(self, step: str, native_id: str) -> DuijieError | None:
        try:
            self._retrier.write(lambda: self._client.form(step, self._form_id, {"Ids": native_id}))
        except (OutcomeUnknown, VendorRejected) as error:
            return error
        return None
