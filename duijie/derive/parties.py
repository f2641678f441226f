"""往来单位 for the CRM: the buyers of the day's orders, a company by its title, a consumer by platform and open id."""

from __future__ import annotations

from duijie.codec import Record


def party(order: Record) -> Record:
    """The buyer of a sales order as a party document; a consumer is never identified by name."""
    buyer = order["buyer"]
    made: Record = {
        "key": buyer["key"],
        "name": buyer["name"],
        "kind": buyer.get("kind", "person"),
        "role": "customer",
        "source": order["platform"],
        "shop": order["shop"],
    }
    if buyer.get("tax_no"):
        made["tax_no"] = buyer["tax_no"]
    return made
