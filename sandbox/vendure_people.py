"""The people around a real Vendure: a buyer who orders in the shop, a manager who does what only the back office does.

The buyer goes through the shop API as a storefront would; nothing is put into the database from behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from duijie import codec
from duijie.codec import Record
from sandbox.vendure import LOGIN

SECONDS = 30
WRONG = "__typename ... on ErrorResult { errorCode message }"


class _Caller:
    """One session at one of the two APIs, in one channel; "" is the default one."""

    def __init__(self, url: str, channel: str) -> None:
        self._url = url
        self._session = requests.Session()
        self.enter(channel)

    def enter(self, channel: str) -> None:
        """Work in that channel from now on."""
        self._session.headers["vendure-token"] = channel

    def ask(self, query: str, **variables: Any) -> Record:
        """The `data` of a call. Raises RuntimeError for any error, foreseen or not."""
        body = codec.encode({"query": query, "variables": variables})
        answer = self._session.post(self._url, body, headers={"Content-Type": "application/json"}, timeout=SECONDS)
        if token := answer.headers.get("vendure-auth-token"):
            self._session.headers["Authorization"] = f"Bearer {token}"
        told: Record = codec.decode(answer.content)
        data: Record = told.get("data") or {}
        wrong = [value for value in data.values() if isinstance(value, dict) and "errorCode" in value]
        if told.get("errors") or wrong:
            raise RuntimeError(f"{told.get('errors') or wrong}")
        return data


class Buyer(_Caller):
    """Somebody who fills a cart, says where to send it and pays."""

    def __init__(self, url: str, email: str, channel: str = "") -> None:
        super().__init__(f"{url}/shop-api", channel)
        self._email = email

    def order(self, wanted: Mapping[str, int], coupon: str = "") -> Record:
        """Place a paid order of variant id → pieces, perhaps with a coupon; {id, code, state, totalWithTax}."""
        for variant, pieces in wanted.items():
            add = f"mutation($v: ID!, $n: Int!) {{ addItemToOrder(productVariantId: $v, quantity: $n) {{ {WRONG} }} }}"
            self.ask(add, v=variant, n=pieces)
        who = {"firstName": "三", "lastName": "张", "emailAddress": self._email, "phoneNumber": "13800000000"}
        self.ask(f"mutation($i: CreateCustomerInput!) {{ setCustomerForOrder(input: $i) {{ {WRONG} }} }}", i=who)
        where = {"streetLine1": "文三路 1 号", "city": "杭州", "countryCode": "CN"}
        self.ask(f"mutation($i: CreateAddressInput!) {{ setOrderShippingAddress(input: $i) {{ {WRONG} }} }}", i=where)
        method = self.ask("{ eligibleShippingMethods { id } }")["eligibleShippingMethods"][0]["id"]
        self.ask(f"mutation($m: [ID!]!) {{ setOrderShippingMethod(shippingMethodId: $m) {{ {WRONG} }} }}", m=[method])
        if coupon:
            self.ask(f"mutation($c: String!) {{ applyCouponCode(couponCode: $c) {{ {WRONG} }} }}", c=coupon)
        self.ask(f'mutation {{ transitionOrderToState(state: "ArrangingPayment") {{ {WRONG} }} }}')
        way = {"method": self.ask("{ eligiblePaymentMethods { code } }")["eligiblePaymentMethods"][0]["code"]}
        pay = f"""mutation($i: PaymentInput!) {{ addPaymentToOrder(input: $i) {{ {WRONG}
          ... on Order {{ id code state totalWithTax }} }} }}"""
        placed: Record = self.ask(pay, i={**way, "metadata": {}})["addPaymentToOrder"]
        return placed


class Manager(_Caller):
    """The administrator at the back office."""

    def __init__(self, url: str, password: str) -> None:
        super().__init__(f"{url}/admin-api", "")
        login = f"mutation($u: String!, $p: String!) {{ login(username: $u, password: $p) {{ {WRONG} }} }}"
        self.ask(login, u=LOGIN, p=password)

    def channel(self, code: str) -> str:
        """Open a channel that sells in yuan, with the freight and the payment of the default one; its token."""
        held = self.ask("""{ zones { items { id } } shippingMethods { items { id } } paymentMethods { items { id } }
          sellers { items { id } } }""")
        [zone, method, payment, seller] = [held[name]["items"][0]["id"] for name in held]
        given = {
            **{"code": code, "token": code, "sellerId": seller, "pricesIncludeTax": True},
            **{"defaultLanguageCode": "zh_Hans", "defaultCurrencyCode": "CNY"},
            **{"defaultTaxZoneId": zone, "defaultShippingZoneId": zone},
        }
        make = f"""mutation($i: CreateChannelInput!) {{ createChannel(input: $i) {{ {WRONG}
          ... on Channel {{ id }} }} }}"""
        made = self.ask(make, i=given)["createChannel"]["id"]
        assign = """mutation($c: ID!, $s: [ID!]!, $p: [ID!]!) {
          assignShippingMethodsToChannel(input: {channelId: $c, shippingMethodIds: $s}) { id }
          assignPaymentMethodsToChannel(input: {channelId: $c, paymentMethodIds: $p}) { id } }"""
        self.ask(assign, c=made, s=[method], p=[payment])
        return code

    def product(self, sku: str, cents: int, pieces: int) -> str:
        """Put a product on sale at that price with tax (13 %), so many in stock; its variant's id."""
        names = [{"languageCode": "zh_Hans", "name": f"商品 {sku}"}]
        described = {"enabled": True, "translations": [{**names[0], "slug": sku, "description": ""}]}
        make = "mutation($i: CreateProductInput!) { createProduct(input: $i) { id } }"
        product = self.ask(make, i=described)["createProduct"]["id"]
        category = self.ask("{ taxCategories { items { id } } }")["taxCategories"]["items"][0]["id"]
        variant = {"productId": product, "sku": sku, "price": cents, "taxCategoryId": category, "translations": names}
        make = "mutation($i: [CreateProductVariantInput!]!) { createProductVariants(input: $i) { id } }"
        made = self.ask(make, i=[{**variant, "stockOnHand": pieces}])["createProductVariants"][0]["id"]
        return str(made)

    def location(self, name: str) -> str:
        """Open a stock location; its id."""
        made = self.ask("mutation($n: String!) { createStockLocation(input: {name: $n}) { id } }", n=name)
        return str(made["createStockLocation"]["id"])

    def refund(self, order: str, cents: int, lines: Mapping[str, int], reason: str = "商品破损") -> str:
        """Give money back for order line id → pieces, and settle it; the refund's id."""
        paid = self.ask("query($i: ID!) { order(id: $i) { payments { id } } }", i=order)["order"]["payments"][0]["id"]
        of = [{"orderLineId": line, "quantity": pieces} for line, pieces in lines.items()]
        given = {"paymentId": paid, "lines": of, "shipping": 0, "adjustment": 0, "amount": cents, "reason": reason}
        make = f"mutation($i: RefundOrderInput!) {{ refundOrder(input: $i) {{ {WRONG} ... on Refund {{ id }} }} }}"
        made = str(self.ask(make, i=given)["refundOrder"]["id"])
        settle = f'mutation($i: ID!) {{ settleRefund(input: {{id: $i, transactionId: "T1"}}) {{ {WRONG} }} }}'
        self.ask(settle, i=made)
        return made

    def coupon(self, code: str, percent: int) -> None:
        """Give that much off every order with the code."""
        off = {"code": "order_percentage_discount", "arguments": [{"name": "discount", "value": str(percent)}]}
        names = [{"languageCode": "zh_Hans", "name": code}]
        given = {"enabled": True, "couponCode": code, "conditions": [], "actions": [off], "translations": names}
        make = f"mutation($i: CreatePromotionInput!) {{ createPromotion(input: $i) {{ {WRONG} }} }}"
        self.ask(make, i=given)

    def cancel(self, order: str, lines: Mapping[str, int]) -> None:
        """Take pieces of order line id → pieces out of an order."""
        of = [{"orderLineId": line, "quantity": pieces} for line, pieces in lines.items()]
        make = f"mutation($i: CancelOrderInput!) {{ cancelOrder(input: $i) {{ {WRONG} }} }}"
        self.ask(make, i={"orderId": order, "lines": of})

    def deliver(self, fulfilment: str) -> None:
        """Say that a parcel has arrived."""
        move = f'mutation($i: ID!) {{ transitionFulfillmentToState(id: $i, state: "Delivered") {{ {WRONG} }} }}'
        self.ask(move, i=fulfilment)

    def api_key(self, name: str) -> str:
        """A key with every right."""
        role = next(
            one["id"] for one in self.ask("{ roles { items { id code } } }")["roles"]["items"] if "super" in one["code"]
        )
        given = {"roleIds": [role], "translations": [{"languageCode": "zh_Hans", "name": name}]}
        made = self.ask("mutation($i: CreateApiKeyInput!) { createApiKey(input: $i) { apiKey } }", i=given)
        return str(made["createApiKey"]["apiKey"])
