"""A local WooCommerce site: the part of its REST API (wc/v3) that the connector uses, and its webhooks.

It exists so that the connector meets a site's own strictness without one: keys and signatures, nonces, parameters, page
sizes, kinds of fields, unique SKUs, batches of 100, errors as WordPress words them (WooCommerce REST API docs). What a
caller may rely on, beside sandbox/woocommerce_rules.py and sandbox/woocommerce_records.py:

- The site's own zone is Asia/Shanghai. Over HTTP only OAuth lets a call in, under TLS Basic as well.
- GET of orders, products, their variations, refunds, notes and fulfilments; PUT of orders, products and variations;
  POST of products, refunds, notes, fulfilments and of the batches of products and variations. Orders are made by a
  seed.
- `POST /_admin/push` (sandbox/push.py) delivers webhooks: `items` are `{"topic": "order.updated", "id": 7}`; a topic
  `….deleted` carries the id alone; `{"ping": true}` is the unsigned one that a site sends when a webhook is saved.

Seed::

    {"keys":     {"ck_…": {"secret": "cs_…", "permissions": "read_write"}},
     "webhook_secret": "…",  "fulfillments": true,      the feature of that name is switched on
     "orders":   [{"id": 1, "status": "processing", "date_modified_gmt": "2026-11-11T04:00:00", …,
                   "refund_records": [{"id": 2, "amount": "7.00", "line_items": […]}]}],
     "products": [{"id": 10, "sku": "A1", "name": "…", "regular_price": "7.00", "manage_stock": true, …,
                   "type": "variable", "variation_records": [{"id": 11, "sku": "A1-红", …}]}]}
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from sandbox import woocommerce_rules as rules
from sandbox.kit import Handler, Sandbox, json_response
from sandbox.push import Parcel, Pusher
from sandbox.store import Store
from sandbox.woocommerce_records import Records, Row
from sandbox.woocommerce_rules import Refusal

API = "/wp-json/wc/v3"
NO_ROUTE = Refusal(404, "rest_no_route", "No route was found matching the URL and request method.")
METHODS = ("GET", "POST", "PUT", "DELETE")
Answering = Callable[[Request, Mapping[str, str], Any], Response]


class WooCommerceSandbox(Sandbox):
    """One site."""

    name = "woocommerce"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        self._records = Records(store)
        self._nonces: set[tuple[str, str]] = set()
        self._pusher = Pusher(self.pack)

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """What of the API is served; every other path is rest_no_route."""
        own: tuple[tuple[str, str, Answering], ...] = (
            ("GET", "/orders", self._orders),
            ("GET", "/orders/{id:int}", self._order),
            ("PUT", "/orders/{id:int}", self._change_order),
            ("GET", "/orders/{id:int}/refunds", self._refunds),
            ("POST", "/orders/{id:int}/refunds", self._add_refund),
            ("GET", "/orders/{id:int}/notes", self._notes),
            ("POST", "/orders/{id:int}/notes", self._add_note),
            ("GET", "/orders/{id:int}/fulfillments", self._fulfillments),
            ("POST", "/orders/{id:int}/fulfillments", self._add_fulfillment),
            ("GET", "/products", self._products),
            ("POST", "/products", self._add_product),
            ("POST", "/products/batch", self._batch),
            ("GET", "/products/{id:int}", self._product),
            ("PUT", "/products/{id:int}", self._change_product),
            ("GET", "/products/{id:int}/variations", self._variations),
            ("POST", "/products/{id:int}/variations/batch", self._batch),
            ("PUT", "/products/{id:int}/variations/{variation:int}", self._change_product),
        )
        served = [(method, API + path, self._let_in(answering)) for method, path, answering in own]
        rest: list[tuple[str, str, Handler]] = [(method, "/wp-json/{rest:path}", _no_route) for method in METHODS]
        return [self._pusher.route(), *served, *rest]

    def expire_tokens(self) -> None:
        """There are none: a key stays until it is revoked."""

    def shift_pages(self) -> None:
        """The order listed first changes now and leaves every closed window: the others move up one place."""
        first = min(self._records.orders(), key=lambda row: (row["date_modified_gmt"], row["id"]))
        self._records.change_order(first["id"], {}, self.now())

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the module's docstring."""
        self.store.put_many("key", data.get("keys", {}))
        if "webhook_secret" in data:
            self.store.put("config", "webhook", {"secret": data["webhook_secret"]})
        if data.get("fulfillments"):
            self.store.put("config", "fulfillments", {"is_enabled": True})
        self._records.seed(data, self.now())

    def pack(self, url: str, item: Any, _: timedelta) -> Parcel:
        """One delivery; deliveries carry no time."""
        number = self.store.next("delivery")
        if item.get("ping"):
            form = {"content-type": "application/x-www-form-urlencoded"}
            return Parcel(url, form, f"webhook_id={number}".encode(), "")
        resource, _sep, event = item["topic"].partition(".")
        body = codec.encode_ordered({"id": item["id"]} if event == "deleted" else self._payload(resource, item["id"]))
        secret = (self.store.get("config", "webhook") or {})["secret"]
        digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
        headers = {
            "content-type": "application/json",
            "x-wc-webhook-source": "http://shop.example/",
            "x-wc-webhook-topic": item["topic"],
            "x-wc-webhook-resource": resource,
            "x-wc-webhook-event": event,
            "x-wc-webhook-signature": base64.b64encode(digest).decode(),
            "x-wc-webhook-id": "1",
            "x-wc-webhook-delivery-id": f"{number:032x}",
        }
        return Parcel(url, headers, body, "x-wc-webhook-signature")

    def _payload(self, resource: str, number: int) -> Row:
        return self._records.order(number, 404) if resource == "order" else self._records.product(number, 404)

    def _let_in(self, answering: Answering) -> Handler:
        async def handler(request: Request) -> Response:
            raw = await request.body()
            try:
                given = rules.parameters(request.url.query)
                self._check_key(request, given)
                return answering(request, given, _body(request, raw))
            except Refusal as refusal:
                return json_response(refusal.body(), refusal.status)

        return handler

    def _check_key(self, request: Request, given: Mapping[str, str]) -> None:
        """Basic under TLS, else OAuth; then what the key may do. Raises Refusal."""
        key, secret = rules.basic(request.headers.get("authorization", ""))
        found = self.store.get("key", key) if request.url.scheme == "https" and key else None
        if found is not None and not hmac.compare_digest(found["secret"], secret):
            raise rules.unauthorised("Consumer secret is invalid.")
        found = found or self._signer(request, given)
        needed = "read" if request.method == "GET" else "write"
        if needed not in found.get("permissions", "read_write"):
            raise rules.unauthorised(f"The API key provided does not have {needed} permissions.")

    def _signer(self, request: Request, given: Mapping[str, str]) -> Row:
        missing = [name for name in rules.OAUTH if not given.get(name)]
        if len(missing) == len(rules.OAUTH):
            raise Refusal(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
        if missing:
            text = f"Missing OAuth parameters {', '.join(missing)}"
            raise Refusal(401, "woocommerce_rest_authentication_missing_parameter", text)
        found = self.store.get("key", given["oauth_consumer_key"])
        if found is None:
            raise rules.unauthorised("Consumer key is invalid.")
        url = f"{request.url.scheme}://{request.headers['host']}{request.url.path}"
        rules.check_oauth(given, request.method, url, found["secret"], self.now().timestamp())
        used = given["oauth_consumer_key"], given["oauth_nonce"]
        if used in self._nonces:
            raise rules.unauthorised("Invalid nonce - nonce has already been used.")
        self._nonces.add(used)
        return found

    def _orders(self, _: Request, given: Mapping[str, str], __: Any) -> Response:
        statuses = [one for one in given.get("status", "any").split(",") if one]
        for one in statuses:
            if one not in ("any", *rules.ORDER_STATUSES):
                raise rules.invalid("status[0]", f"is not one of any, {', '.join(rules.ORDER_STATUSES)}.")
        rows = [row for row in self._records.orders() if "any" in statuses or row["status"] in statuses]
        return _listed(rows, given)

    def _order(self, request: Request, given: Mapping[str, str], _: Any) -> Response:
        return json_response(rules.fields(self._records.order(request.path_params["id"], 404), given))

    def _change_order(self, request: Request, given: Mapping[str, str], body: Any) -> Response:
        changed = self._records.change_order(request.path_params["id"], body, self.now())
        return json_response(rules.fields(changed, given))

    def _refunds(self, request: Request, given: Mapping[str, str], _: Any) -> Response:
        rows = self._records.refunds(request.path_params["id"])
        return _listed([_without(row, "parent_id") for row in rows], given)

    def _add_refund(self, request: Request, _: Mapping[str, str], body: Any) -> Response:
        made = self._records.add_refund(request.path_params["id"], body, self.now())
        return json_response(_without(made, "parent_id"), 201)

    def _notes(self, request: Request, given: Mapping[str, str], _: Any) -> Response:
        rows = [_without(row, "order_id") for row in self._records.notes(request.path_params["id"])]
        return json_response(rules.fields(rows, given))

    def _add_note(self, request: Request, _: Mapping[str, str], body: Any) -> Response:
        return json_response(
            _without(self._records.add_note(request.path_params["id"], body, self.now()), "order_id"), 201
        )

    def _fulfillments(self, request: Request, given: Mapping[str, str], _: Any) -> Response:
        self._check_feature()
        return json_response(rules.fields(self._records.fulfillments(request.path_params["id"]), given))

    def _add_fulfillment(self, request: Request, given: Mapping[str, str], body: Any) -> Response:
        self._check_feature()
        is_notified = given.get("notify_customer") == "true"
        made = self._records.add_fulfillment(request.path_params["id"], body, is_notified, self.now())
        return json_response(made, 201)

    def _check_feature(self) -> None:
        """Sites have fulfilments only where they switched them on. Raises Refusal."""
        if self.store.get("config", "fulfillments") is None:
            raise NO_ROUTE

    def _products(self, _: Request, given: Mapping[str, str], __: Any) -> Response:
        rows = self._records.by_sku(given["sku"]) if given.get("sku") else self._records.products()
        return _listed(rows, given)

    def _product(self, request: Request, given: Mapping[str, str], _: Any) -> Response:
        return json_response(rules.fields(self._records.product(request.path_params["id"], 404), given))

    def _variations(self, request: Request, given: Mapping[str, str], _: Any) -> Response:
        rows = self._records.variations(request.path_params["id"])
        return _listed([_without(row, "type", "parent_id", "variations") for row in rows], given)

    def _add_product(self, _: Request, __: Mapping[str, str], body: Any) -> Response:
        return json_response(self._records.add_product(body, self.now()), 201)

    def _change_product(self, request: Request, _: Mapping[str, str], body: Any) -> Response:
        number, variation = request.path_params["id"], request.path_params.get("variation")
        change = self._records.change_product
        changed = change(variation, body, self.now(), number) if variation else change(number, body, self.now())
        return json_response(changed)

    def _batch(self, request: Request, _: Mapping[str, str], body: Any) -> Response:
        """Up to 100 rows, each done or refused by itself."""
        updates, creates = body.get("update", []), body.get("create", [])
        if len(updates) + len(creates) > rules.MOST:
            text = f"Unable to accept more than {rules.MOST} items for this request."
            raise Refusal(413, "woocommerce_rest_request_entity_too_large", text)
        parent, now, records = request.path_params.get("id"), self.now(), self._records
        done = {"create": [_tried(0, partial(records.add_product, row, now)) for row in creates]} if creates else {}
        change = records.change_product
        done["update"] = [_tried(row["id"], partial(change, int(row["id"]), row, now, parent)) for row in updates]
        return json_response(done)


def _tried(number: int, change: Callable[[], Row]) -> Row:
    try:
        return change()
    except Refusal as refusal:
        return {"id": number, "error": refusal.body()}


def _listed(rows: Sequence[Row], given: Mapping[str, str]) -> Response:
    """One page of the rows that the parameters leave, with the length of the list in the headers."""
    page, size = rules.paging(given)
    by, is_down = rules.sorting(given)
    included, excluded = rules.ids(given, "include"), rules.ids(given, "exclude") or set()
    left = [row for row in rows if (not included or row["id"] in included) and row["id"] not in excluded]
    left = [row for row in left if rules.within(row, given, "")]
    if any(name in given for name in ("modified_after", "modified_before")):
        left = [row for row in left if rules.within(row, given, "modified_")]
    left.sort(key=lambda row: (row[by], row["id"]), reverse=is_down)
    shown = json_response(rules.fields(left[(page - 1) * size : page * size], given))
    shown.headers["X-WP-Total"] = str(len(left))
    shown.headers["X-WP-TotalPages"] = str(-(-len(left) // size))
    return shown


def _without(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}


def _body(request: Request, raw: bytes) -> Any:
    """The JSON object of a write. Raises Refusal."""
    if request.method == "GET":
        return None
    try:
        body = codec.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    if not isinstance(body, dict) or "json" not in request.headers.get("content-type", ""):
        raise Refusal(400, "rest_invalid_json", "Invalid JSON body passed.")
    return body


async def _no_route(_: Request) -> Response:
    return json_response(NO_ROUTE.body(), 404)


SANDBOX = WooCommerceSandbox
