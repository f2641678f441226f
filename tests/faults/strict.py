"""A system at the far end that keeps its own truth and is exactly as safe as each kind of sink says, no safer.

Four books, one per kind of sink: `natural_key` refuses a second document of a number, `lookup` takes it and holds two,
`token` answers a repeated token with the first document, `absolute` overwrites a figure and remembers every one it was
given. `asked` has every moment a document of a number was asked for, made or not. The same server is the source: it
lists `bills`, and `/_change` makes them what they are in the second round.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from duijie.codec import Record, decode
from sandbox.kit import Handler, Sandbox, json_response
from sandbox.store import Store

REFUSED = "C9"


class StrictSandbox(Sandbox):
    """Seed: {"bills": [round one, round two]}, each a list of records with an `id`."""

    name = "strict"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        self._numbers: dict[tuple[str, str], list[str]] = {}
        self._tokens: dict[str, str] = {}
        self.asked: defaultdict[tuple[str, str], list[datetime]] = defaultdict(list)
        self.rounds: list[list[Record]] = [[]]
        self.round = 0

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """The source's list, the change between the rounds, and the books."""
        return [
            ("GET", "/bills", self._bills),
            ("POST", "/_change", self._change),
            ("GET", "/{kind}/documents", self._find),
            ("POST", "/{kind}/documents", self._create),
            ("PUT", "/{kind}/documents/{id}", self._update),
            ("DELETE", "/{kind}/documents/{id}", self._void),
        ]

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the class's docstring."""
        self.rounds, self.round = data["bills"], 0

    def expire_tokens(self) -> None:
        """There are none."""

    def is_write(self, request: Request, body: bytes) -> bool:
        """All but the lists."""
        return request.method != "GET"

    async def _bills(self, _: Request) -> Response:
        return json_response({"bills": self.rounds[self.round]})

    async def _change(self, _: Request) -> Response:
        self.round = len(self.rounds) - 1
        return json_response({"round": self.round})

    async def _find(self, request: Request) -> Response:
        kind, wanted = request.path_params["kind"], request.query_params["no"].split(",")
        return json_response({"documents": [row for number in wanted for row in self.numbered(kind, number)]})

    def numbered(self, kind: str, number: str) -> list[Record]:
        """What a book holds under a number."""
        rows = (self.store.get(kind, one) for one in self._numbers.get((kind, number), ()))
        return [row for row in rows if row and not row["void"]]

    async def _create(self, request: Request) -> Response:
        kind, body = request.path_params["kind"], decode(await request.body())
        self.asked[f"strict/{kind}", body["no"]].append(datetime.now(UTC))
        if body["customer"] == REFUSED or Decimal(body["amount"]) < 0:
            return json_response({"code": "E1", "text": f"客户 {body['customer']} 不存在"}, 422)
        alike = self.numbered(kind, body["no"])
        if kind == "natural_key" and alike:
            return json_response({"code": "E2", "text": f"单号 {body['no']} 已存在"}, 409)
        token = request.headers.get("idempotency-key", "")
        if kind == "token" and token in self._tokens:
            return json_response(self.store.get(kind, self._tokens[token]))
        row = alike[0] | {"amount": body["amount"]} if kind == "absolute" and alike else self._row(kind, body, token)
        row["given"] = [*row["given"], body["amount"]]
        self._keep(kind, row, token)
        return json_response(row)

    def _keep(self, kind: str, row: Record, token: str) -> None:
        if self.store.get(kind, row["id"]) is None:
            self._numbers.setdefault((kind, row["no"]), []).append(row["id"])
        if token:
            self._tokens[token] = row["id"]
        self.store.put(kind, row["id"], row)

    def _row(self, kind: str, body: Record, token: str) -> Record:
        number = self.store.next(kind)
        return {"id": f"{kind}-{number}", **body, "void": False, "given": []}

    async def _update(self, request: Request) -> Response:
        return self._changed(request, decode(await request.body()))

    async def _void(self, request: Request) -> Response:
        return self._changed(request, {"void": True})

    def _changed(self, request: Request, values: Record) -> Response:
        kind, row_id = request.path_params["kind"], request.path_params["id"]
        row = self.store.get(kind, row_id)
        if row is None:
            return json_response({"code": "E3", "text": f"{row_id} 不存在"}, 422)
        self.store.put(kind, row_id, {**row, **values})
        return json_response({**row, **values})


SANDBOX = StrictSandbox
