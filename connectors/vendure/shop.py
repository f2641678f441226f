"""What must be known of a channel before an amount or a figure of it can be trusted: read once, checked once.

Vendure's amounts are whole minor units of a precision that the server's configuration sets; everything here counts on
two places. A price that is written counts with or without tax as the channel says; we write it with.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property

from connectors.vendure.client import ERRORS, Client, listed
from duijie.codec import Record
from duijie.connect.errors import ConfigError

PLACES = 2
CURRENCY = "CNY"
FACTS = """query channel { activeChannel { id code defaultCurrencyCode defaultLanguageCode pricesIncludeTax
  defaultTaxZone { id } } globalSettings { serverConfig { moneyStrategyPrecision } } }"""
LOCATIONS = """query locations($options: StockLocationListOptions) { stockLocations(options: $options) { totalItems
  items { id name } } }"""
RATES = """query rates($options: TaxRateListOptions) { taxRates(options: $options) { totalItems
  items { value enabled zone { id } category { id } } } }"""


class Shop:
    """One channel. `number`: what we call the shop; `location`: whose stock is on sale; `handler`: ships orders."""

    def __init__(self, client: Client, number: str, location: str, handler: str) -> None:
        self.client = client
        self.number = number
        self.handler = handler
        self._location = location

    @cached_property
    def channel(self) -> Record:
        """The channel's facts. Raises ConfigError when the server keeps other than two places."""
        answer = self.client.read(FACTS)
        channel, places = answer.get("activeChannel"), (answer.get("globalSettings") or {}).get("serverConfig")
        if not channel or not places:
            raise ERRORS.error("outcome-unknown", "no facts of the channel", where="channel")
        if places["moneyStrategyPrecision"] != PLACES:
            raise ConfigError(
                f"该 Vendure 的金额精度为 {places['moneyStrategyPrecision']} 位, 只支持 {PLACES} 位; 请联系维护人员",
                en=f"the server keeps money with {places['moneyStrategyPrecision']} places, not with {PLACES}",
                where=f"{self.client.conn_id}.host",
            )
        return dict(channel)

    @cached_property
    def location(self) -> Record:
        """The stock location of the setting, else the only one. Raises ConfigError."""
        found, _ = listed(self.client.read(LOCATIONS, options={"take": 1000}), "stockLocations")
        named = [one for one in found if self._location in ("", one["name"])]
        if len(named) != 1:
            names = ", ".join(one["name"] for one in found)
            raise ConfigError(
                f"库存地点 “{self._location}” 不能确定; 请在连接的 stock_location 中填写其一: {names}",
                en=f"stock location {self._location!r} is not one of, or does not choose among: {names}",
                where=f"{self.client.conn_id}.stock_location",
            )
        return named[0]

    @cached_property
    def categories(self) -> Mapping[Decimal, str]:
        """Tax rate in percent → id of a tax category that has it in the channel's default zone."""
        rows, _ = listed(self.client.read(RATES, options={"take": 1000}), "taxRates")
        zone = (self.channel.get("defaultTaxZone") or {}).get("id")
        usable = [row for row in rows if row["enabled"] and row["zone"]["id"] == zone]
        return {Decimal(row["value"]): str(row["category"]["id"]) for row in reversed(usable)}

    def require_yuan_with_tax(self) -> None:
        """Raises ConfigError for a channel that keeps prices without tax or in another currency: ours are neither."""
        channel = self.channel
        if not channel["pricesIncludeTax"] or channel["defaultCurrencyCode"] != CURRENCY:
            raise ConfigError(
                f"渠道 {channel['code']} 的价格不是人民币含税价, 不能写入; 请在 Vendure 中改为 {CURRENCY} 与含税",
                en=f"channel {channel['code']} keeps no prices in {CURRENCY} with tax; set it to them",
                where=f"{self.client.conn_id}.channel",
            )

    def key(self, sku: str) -> str:
        """shop:SKU."""
        return f"{self.number}:{sku}"
