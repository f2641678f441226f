"""The vendor's own Python client for 畅捷通 against the address it is given; prints what each step was answered."""

from __future__ import annotations

import json
import sys
from typing import Any

from chanjet_openapi_python_sdk.chanjet_client import ChanjetClient
from chanjet_openapi_python_sdk.content.tplus.create_doc_content import CreateDocContent, Entry
from chanjet_openapi_python_sdk.content.tplus.create_inventory_content import CreateInventoryContent
from chanjet_openapi_python_sdk.content.tplus.create_partner_content import CreatePartnerContent
from chanjet_openapi_python_sdk.content.tplus.create_sale_delivery_contect import (
    CreateSaleDeliveryContent,
    SaleDeliveryDetail,
)
from chanjet_openapi_python_sdk.content.tplus.create_sale_order_content import CreateSaleOrderContent, SaleOrderDetail
from chanjet_openapi_python_sdk.content.tplus.query_inventory_content import QueryInventoryContent
from chanjet_openapi_python_sdk.content.tplus.query_partner_content import QueryPartnerContent
from chanjet_openapi_python_sdk.request.refresh_token_request import RefreshTokenRequest
from chanjet_openapi_python_sdk.request.tplus.create_doc_request import CreateDocRequest

API = "/tplus/api/v2/"


def signed_in(asked: dict[str, Any]) -> ChanjetClient:
    """A client with a fresh openToken."""
    client = ChanjetClient(asked["url"], app_key=asked["app_key"], app_secret=asked["app_secret"])
    request = RefreshTokenRequest("/auth/v2/refreshToken")
    request.add_query_params({"grantType": "refresh_token", "refreshToken": asked["refresh_token"]})
    client.open_token = client.execute(request)["result"]["access_token"]
    return client


def post(client: ChanjetClient, service: str, content: Any) -> Any:
    """A POST: the client's requests differ in their names only."""
    request = CreateDocRequest(API + service)
    request.content = content
    return client.execute(request)


def voucher(key: str) -> CreateDocContent:
    """113.00 received, 100.00 sold, 13.00 of tax."""
    made = CreateDocContent("2026-11-11", key, "记", "1")
    made.dto.Entrys += [
        Entry("销售", "1002", "RMB", "113.00", is_cr=False),
        Entry("销售", "6001", "RMB", "100.00"),
        Entry("销售", "22210105", "RMB", "13.00"),
    ]
    return made


def order(key: str) -> CreateSaleOrderContent:
    """5 pieces for 6.40 without tax."""
    made = CreateSaleOrderContent("2026-11-11", key, "C001", "", "", "", ["isautoaudit"], [True])
    made.dto.SaleOrderDetails.append(SaleOrderDetail("A1", "件", 5, 6.4, [], []))
    return made


def delivery(key: str) -> CreateSaleDeliveryContent:
    """5 pieces for 90.00 with tax."""
    made = CreateSaleDeliveryContent("2026-11-11", key, "C001", "01", "", "", "", [], [])
    made.dto.Warehouse = {"Code": "CK01"}
    made.dto.SaleDeliveryDetails.append(SaleDeliveryDetail("A1", "件", 5, 16, 90, [], []))
    return made


def everything(asked: dict[str, Any]) -> dict[str, Any]:
    """Signs in, reads, writes, and is refused."""
    client = signed_in(asked)
    stock = {"Warehouse": [{"Code": "CK01"}], "Inventory": [{"Code": "A1"}], "PageIndex": 1, "PageSize": 20}
    told = {
        "inventory": post(client, "inventory/Query", QueryInventoryContent("A1", "01", False, True)),
        "partner": post(client, "partner/Query", QueryPartnerContent("C001", "", "")),
        "stock": post(client, "currentStock/Query", {"param": stock}),
        "product": post(
            client,
            "inventory/Create",
            CreateInventoryContent("N1", "挂面", "GM", "1kg", "01", "", "件", "false", "true", "true", "true"),
        ),
        "party": post(client, "partner/Create", CreatePartnerContent("P9", "供货商", "GHS", "供货商", "00", "001")),
        "order": post(client, "saleOrder/Create", order("SDK-1")),
        "delivery": post(client, "saleDelivery/Create", delivery("SDK-2")),
        "voucher": post(client, "doc/Create", voucher("SDK-3")),
        "again": post(client, "doc/Create", voucher("SDK-3")),
    }
    client.open_token = "dead"
    return {**told, "dead": post(client, "warehouse/Query", {"param": {}})}


def one_voucher(asked: dict[str, Any]) -> None:
    """Signs in and posts the voucher of that key."""
    post(signed_in(asked), "doc/Create", voucher(asked["key"]))


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    print(json.dumps({"everything": everything, "one_voucher": one_voucher}[given["do"]](given)))
