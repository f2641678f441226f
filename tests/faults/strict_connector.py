"""The connector of the strict target: a stream and a sink per kind of safety. Installed as a third party's would be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from urllib.parse import quote

from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import AlreadyThere, VendorRejected
from duijie.connect.http import Http, read_json
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Plugin, Safety, Setting, Sink, Spec, Stream
from duijie.connect.protocol import Window as _Window
from duijie.connect.retry import side_by_side
from duijie.connect.services import Services

SPEC = Spec("strict", "严格目标", "测试用", (Setting("host", "地址", "host"),), "1000000/second", "1", "tests/faults")
ANSWERS = (409, 422)


class Client:
    """Calls and their refusals."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._http = Http(services.budget(connection.conn_id, str(connection.extra.get("rate", SPEC.rate))))
        self._base = connection.base_url
        self.size = int(connection.extra.get("size", 3))
        self.retrier = services.retrier(connection.conn_id)

    def call(
        self, method: str, path: str, body: Record | None = None, headers: Mapping[str, str] | None = None
    ) -> Record:
        """One call. Raises AlreadyThere, VendorRejected and what `Http.send` raises."""
        data = None if body is None else codec.encode(body)
        response = self._http.send(method, self._base + path, body=data, headers=headers, answers=ANSWERS)
        answer = read_json(response)
        if response.status_code in ANSWERS:
            kind = AlreadyThere if response.status_code == 409 else VendorRejected
            raise kind(answer["text"], code=answer["code"])
        return dict(answer)


class Bills:
    """Everything there is, whatever the window."""

    name, entity, key = "bill", "sales_order", "id"

    def __init__(self, client: Client) -> None:
        self._client = client

    def partitions(self) -> Iterable[str]:
        """One."""
        return [""]

    def read(self, _: _Window) -> Iterator[Page]:
        """In pages of the connection's size."""
        rows = self._client.retrier.read(lambda: self._client.call("GET", "/bills"))["bills"]
        for start in range(0, len(rows), self._client.size):
            yield Page(rows[start : start + self._client.size])


class Book:
    """Writes one document a call, the connection's size of them side by side."""

    entity = "sales_order"

    def __init__(self, client: Client, safety: Safety) -> None:
        self._client = client
        self.name = safety.value
        self.batch = client.size
        self.safety = safety
        self._path = f"/{safety.value}/documents"

    def key_of(self, payload: Record) -> str:
        """The number."""
        return str(payload["no"])

    def figures_of(self, payload: Record) -> Figures:
        """The amount."""
        return {"amount": Decimal(payload["amount"])}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """All in one call."""
        path = f"{self._path}?no={quote(','.join(keys))}"
        rows = self._client.retrier.read(lambda: self._client.call("GET", path))["documents"]
        return {row["no"]: Found(row["id"], row["no"], {"amount": Decimal(row["amount"])}, row) for row in rows}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One outcome per payload, in order."""
        return side_by_side(lambda one: self._client.retrier.outcome(partial(self._create, one)), payloads)

    def _create(self, payload: Record) -> Done:
        headers = {"Idempotency-Key": self.key_of(payload)} if self.safety is Safety.TOKEN else {}
        return self._done(self._client.call("POST", self._path, payload, headers))

    @staticmethod
    def _done(row: Record) -> Done:
        return Done(row["id"], row["no"], row)


class OpenBook(Book):
    """A book whose documents can be changed and voided."""

    def update(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """One outcome per payload, in order."""
        return [self._change("PUT", native_id, one) for one, native_id in zip(payloads, native_ids, strict=True)]

    def reverse(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Void each."""
        return [self._change("DELETE", native_id, None) for native_id in native_ids]

    def _change(self, method: str, native_id: str, body: Record | None) -> Outcome:
        path = f"{self._path}/{native_id}"
        return self._client.retrier.outcome(lambda: self._done(self._client.call(method, path, body)))


class Strict:
    """A connection to the strict target."""

    def __init__(self, connection: Connection, services: Services) -> None:
        client = Client(connection, services)
        kinds = {Safety.NATURAL_KEY: Book, Safety.LOOKUP: OpenBook, Safety.TOKEN: OpenBook, Safety.ABSOLUTE: Book}
        self.sinks: Mapping[str, Sink] = {safety.value: kind(client, safety) for safety, kind in kinds.items()}
        self.streams: Mapping[str, Stream] = {"bill": Bills(client)}

    def check(self) -> list[tuple[str, str]]:
        """Nothing to check."""
        return []


CONNECTOR = Plugin(SPEC, Strict)


def install(folder: Path) -> str:
    """Write what `pip install` would leave of a package with this connector; returns the folder for sys.path."""
    info = folder / "duijie_strict-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: duijie-strict\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[duijie.connectors]\nstrict = {__name__}:CONNECTOR\n")
    return str(folder)
