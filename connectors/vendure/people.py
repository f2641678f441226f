"""Customers of the channel: read by when they changed, written under their e-mail address.

Vendure keeps addresses in lower case and refuses a second customer with one (`EmailAddressConflictError`). A customer
cannot be disabled, only deleted; one who has orders is left to a person.
Source: docs.vendure.io, "Customers".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from connectors.vendure.client import ERRORS
from connectors.vendure.lists import between, instant, pages, with_keys
from connectors.vendure.outcomes import each, each_of
from connectors.vendure.shop import Shop
from duijie.codec import Record
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Safety, Window

FIELDS = "id createdAt updatedAt title firstName lastName emailAddress phoneNumber groups { id name }"
CUSTOMERS = f"""query customers($options: CustomerListOptions) {{ customers(options: $options) {{ totalItems
  items {{ {FIELDS} }} }} }}"""
ONE = "query customer($id: ID!) { customer(id: $id) { id emailAddress orders(options: {take: 1}) { totalItems } } }"
UNION = f"__typename ... on Customer {{ {FIELDS} }} ... on ErrorResult {{ errorCode message }}"
CREATE = f"mutation add($input: CreateCustomerInput!) {{ createCustomer(input: $input) {{ {UNION} }} }}"
UPDATE = f"mutation change($input: UpdateCustomerInput!) {{ updateCustomer(input: $input) {{ {UNION} }} }}"
DELETE = "mutation remove($id: ID!) { deleteCustomer(id: $id) { result message } }"


class CustomerStream:
    """Customers, without their addresses and orders. `shop` is added; the key is the e-mail address."""

    name = "customer"
    entity = "party"
    key = "emailAddress"

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def partitions(self) -> Iterable[str]:
        """One channel per connection."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Customers changed in the window, or those with the window's addresses."""
        client, shop = self._shop.client, self._shop.number
        if window.keys:
            rows = with_keys(client, CUSTOMERS, "customers", "emailAddress", window.keys)
            yield Page([{**row, "shop": shop} for row in rows])
            return
        for found in pages(client, CUSTOMERS, "customers", {"updatedAt": between(window.since, window.until)}):
            changed = [row for row in found if window.since <= instant(row["updatedAt"]) < window.until]
            yield Page([{**row, "shop": shop} for row in changed])


class PartySink:
    """Customers. A payload is {"email", "first_name", "last_name", "phone" (optional)}."""

    name = "party"
    entity = "party"
    safety = Safety.NATURAL_KEY
    batch = 20

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def key_of(self, payload: Record) -> str:
        """The e-mail address as Vendure keeps it."""
        return str(payload["email"]).strip().lower()

    def figures_of(self, payload: Record) -> Figures:
        """None: a customer carries no amount."""
        return {}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """The customers with these addresses."""
        rows = with_keys(self._shop.client, CUSTOMERS, "customers", "emailAddress", keys)
        return {row["emailAddress"]: Found(str(row["id"]), row["emailAddress"], {}, row) for row in rows}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One create each, side by side."""
        return each(self._shop.client, self._create, payloads)

    def update(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Make each customer what its payload says."""
        return each_of(self._shop.client, self._update, payloads, native_ids)

    def reverse(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Delete customers who have no orders; who is gone is done."""
        return each_of(self._shop.client, self._delete, payloads, native_ids)

    def _create(self, payload: Record, _: str) -> Done:
        return _done(self._shop.client.write(CREATE, input=self._input(payload)))

    def _update(self, payload: Record, native_id: str) -> Done:
        return _done(self._shop.client.write(UPDATE, input={"id": native_id, **self._input(payload)}))

    def _delete(self, _: Record, native_id: str) -> Done:
        held = self._shop.client.read(ONE, id=native_id).get("customer")
        if held is None:
            return Done(native_id, native_id, {"result": "GONE"})
        if held["orders"]["totalItems"]:
            raise ERRORS.error("has-orders", held["emailAddress"], where=native_id)
        answer = self._shop.client.write(DELETE, id=native_id)
        if answer["result"] != "DELETED":
            raise ERRORS.error("ILLEGAL_OPERATION", str(answer.get("message")), where=native_id)
        return Done(native_id, held["emailAddress"], answer)

    def _input(self, payload: Record) -> Record:
        """What the API is given; a phone that the payload does not name is left as it is."""
        named = {"emailAddress": "email", "firstName": "first_name", "lastName": "last_name", "phoneNumber": "phone"}
        given = {theirs: payload[ours] for theirs, ours in named.items() if ours in payload}
        return {**given, "emailAddress": self.key_of(payload)}


def _done(customer: Record) -> Done:
    return Done(str(customer["id"]), customer["emailAddress"], customer)
