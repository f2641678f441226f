"""The objects of the 纷享销客 sandbox: their fields by type, and what the server holds each field to.

Types and the form of their values: 纷享销客开放平台 "字段值说明": numbers, amounts and percentages are texts, dates and
times are milliseconds, a reference is the `_id` of a record, a single choice is the value of an option. Which fields
an object has: its page or the describe of a company, as far as they are public. Which of them must be given, and
which options there are, is each company's; what stands here is this server's own.
"""

from __future__ import annotations

from typing import Any

Record = dict[str, Any]

COMMON = {
    "_id": "text",
    "name": "text",
    "owner": "employee",
    "record_type": "record_type",
    "life_status": "select_one",
    "lock_status": "select_one",
    "create_time": "date_time",
    "last_modified_time": "date_time",
    "created_by": "employee",
    "is_deleted": "true_or_false",
}
READ_ONLY = frozenset(("_id", "create_time", "last_modified_time", "created_by", "is_deleted"))
OBJECTS: dict[str, dict[str, str]] = {
    "AccountObj": {
        "account_no": "auto_number",
        "tel": "phone_number",
        "email": "email",
        "url": "url",
        "remark": "long_text",
        "account_source": "select_one",
        "account_level": "select_one",
        "duijie_key__c": "text",
    },
    "ContactObj": {"account_id": "object_reference", "tel": "phone_number", "remark": "long_text"},
    "NewOpportunityObj": {
        "account_id": "object_reference",
        "amount": "currency",
        "close_date": "date",
        "sales_process_id": "text",
        "sales_stage": "select_one",
        "sales_status": "select_one",
        "probability": "percentile",
        "duijie_key__c": "text",
    },
    "SalesOrderObj": {
        "name": "auto_number",
        "account_id": "object_reference",
        "order_time": "date",
        "order_amount": "currency",
        "discount": "percentile",
        "delivery_date": "date",
        "remark": "long_text",
        "duijie_key__c": "text",
    },
    "SalesOrderProductObj": {
        "name": "auto_number",
        "order_id": "master_detail",
        "product_id": "object_reference",
        "quantity": "number",
        "product_price": "currency",
        "sales_price": "currency",
        "discount": "percentile",
        "subtotal": "currency",
        "remark": "long_text",
    },
    "ProductObj": {
        "product_code": "text",
        "product_spec": "text",
        "barcode": "text",
        "category": "select_one",
        "unit": "select_one",
        "price": "currency",
        "duijie_key__c": "text",
    },
    "SupplierObj": {},
    "WarehouseObj": {
        "number": "text",
        "address": "text",
        "is_default": "true_or_false",
        "is_enable": "select_one",
        "remark": "long_text",
    },
    "UnitInfoObj": {},
    "StockObj": {
        "name": "auto_number",
        "product_id": "object_reference",
        "warehouse_id": "object_reference",
        "real_stock": "number",
        "blocked_stock": "number",
        "available_stock": "number",
        "safety_stock": "number",
    },
    "object_store__c": {"code__c": "text"},
}
REQUIRED: dict[str, tuple[str, ...]] = {
    "NewOpportunityObj": ("name", "account_id", "close_date", "sales_process_id", "sales_stage"),
    "SalesOrderObj": ("account_id", "order_time"),
    "SalesOrderProductObj": ("product_id", "quantity"),
    "ProductObj": ("name", "price"),
    "StockObj": ("product_id", "warehouse_id"),
}
TARGETS = {
    "account_id": "AccountObj",
    "product_id": "ProductObj",
    "warehouse_id": "WarehouseObj",
    "order_id": "SalesOrderObj",
}
DETAILS = {"SalesOrderObj": {"SalesOrderProductObj": "order_id"}}
NUMBERS = {
    "AccountObj": ("account_no", "C"),
    "SalesOrderObj": ("name", "SO"),
    "SalesOrderProductObj": ("name", "SOP"),
    "StockObj": ("name", "ST"),
}
OPTIONS: dict[tuple[str, str], dict[str, str]] = {
    ("NewOpportunityObj", "sales_stage"): {"s1": "需求确认", "s2": "方案报价", "s3": "赢单"},
    ("NewOpportunityObj", "sales_status"): {"o1": "进行中", "o2": "赢单", "o3": "输单"},
    ("ProductObj", "unit"): {"16": "件", "17": "箱", "18": "辆"},
    ("WarehouseObj", "is_enable"): {"1": "启用", "2": "停用"},
}
PLACES = {"currency": 2, "number": 6, "percentile": 2}
TIMES = frozenset(("date", "date_time"))
REFERENCES = frozenset(("object_reference", "master_detail"))


def field_of(api_name: str, name: str, kind: str) -> Record:
    """A field as describe shows it."""
    shown: Record = {"api_name": name, "type": kind, "is_required": name in REQUIRED.get(api_name, ("name",))}
    if options := OPTIONS.get((api_name, name)):
        shown["options"] = [{"label": label, "value": value} for value, label in options.items()]
    if kind in PLACES:
        shown["decimal_places"] = PLACES[kind]
    if kind in REFERENCES:
        shown["target_api_name"] = TARGETS.get(name, "")
    return shown
