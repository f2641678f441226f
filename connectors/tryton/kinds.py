"""The records of a Tryton company that buys, keeps and sells goods, as kinds: what is read of each, under which key.

Source: Tryton 8.2 and 6.0, modules product, party, stock, sale, purchase, sale_opportunity. Where 6.0 calls a field
otherwise, its name stands after the bar.
"""

from __future__ import annotations

from connectors.tryton.records import Kind

_LINE = (
    "type",
    "product.code",
    "product.template.name",
    "quantity",
    "unit.name",
    "unit.symbol",
    "unit_price",
    "amount",
    "taxes.rate",
    "description",
)
_ORDER = (
    "number",
    "state",
    "party.code",
    "party.name",
    "warehouse.code",
    "description",
    "comment",
    "untaxed_amount",
    "tax_amount",
    "total_amount",
    "invoice_state",
    "shipment_state",
    *(f"lines.{name}" for name in _LINE),
)
_MOVE = ("product.code", "product.template.name", "quantity", "unit|uom.name", "unit|uom.symbol", "unit_price", "state")
_SHIPMENT = ("number", "state", "planned_date", "effective_date", "warehouse.code")
PRODUCT = Kind(
    name="product",
    entity="product",
    title="商品",
    model="product.product",
    key="code",
    fields=(
        "active",
        "type",
        "description",
        "template.name",
        "template.default_uom.name",
        "template.default_uom.symbol",
        "template.account_category.name",
        "template.account_category.customer_taxes.rate",
        "list_price_used|list_price",
        "cost_price",
        "identifiers.type",
        "identifiers.code",
    ),
    related=("template",),
    archived=True,
)
PARTY = Kind(
    name="party",
    entity="party",
    title="往来单位",
    model="party.party",
    key="code",
    fields=(
        "name",
        "active",
        "contact_mechanisms.type",
        "contact_mechanisms.value",
        "identifiers.type",
        "identifiers.code",
        "addresses.full_address",
        "addresses.street",
        "addresses.city",
    ),
    related=("addresses", "identifiers", "contact_mechanisms"),
    archived=True,
)
UNIT = Kind(
    name="unit",
    entity="unit",
    title="计量单位",
    model="product.uom",
    key="symbol",
    fields=("name", "active", "category.name", "factor", "rate", "digits"),
    archived=True,
)
WAREHOUSE = Kind(
    name="warehouse",
    entity="warehouse",
    title="仓库",
    model="stock.location",
    key="code",
    fields=("name", "active", "type", "storage_location.code"),
    domain=(["type", "=", "warehouse"],),
    archived=True,
)
SALES_ORDER = Kind(
    name="sales_order",
    entity="sales_order",
    title="销售订单",
    model="sale.sale",
    key="reference",
    fields=("sale_date", *_ORDER),
    company="company",
    related=("lines",),
)
PURCHASE_ORDER = Kind(
    name="purchase_order",
    entity="purchase_order",
    title="采购订单",
    model="purchase.purchase",
    key="reference",
    fields=("purchase_date", *_ORDER),
    company="company",
    related=("lines",),
)
GOODS_ISSUE = Kind(
    name="goods_issue",
    entity="goods_issue",
    title="销售出库单",
    model="stock.shipment.out",
    key="reference",
    fields=(
        "customer.code",
        "customer.name",
        *_SHIPMENT,
        *(f"outgoing_moves.{name}" for name in (*_MOVE, "sale.reference", "sale.number")),
    ),
    company="company",
    related=("moves",),
)
GOODS_RECEIPT = Kind(
    name="goods_receipt",
    entity="goods_receipt",
    title="采购入库单",
    model="stock.shipment.in",
    key="reference",
    fields=(
        "supplier.code",
        "supplier.name",
        *_SHIPMENT,
        *(f"incoming_moves.{name}" for name in (*_MOVE, "purchase.reference", "purchase.number")),
    ),
    company="company",
    related=("moves",),
)
OPPORTUNITY = Kind(
    name="opportunity",
    entity="opportunity",
    title="商机",
    model="sale.opportunity",
    key="reference",
    fields=(
        "number",
        "state",
        "description",
        "party.code",
        "party.name",
        "amount",
        "conversion_probability",
        "start_date",
        "end_date",
        "lost_reason",
        "employee.party.name",
        "lines.product.code",
        "lines.product.template.name",
        "lines.quantity",
        "lines.unit.name",
    ),
    company="company",
    related=("lines",),
)
KINDS = (
    PRODUCT,
    PARTY,
    UNIT,
    WAREHOUSE,
    SALES_ORDER,
    PURCHASE_ORDER,
    GOODS_ISSUE,
    GOODS_RECEIPT,
    OPPORTUNITY,
)
