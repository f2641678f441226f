"""即时库存 of the 金蝶云星空 sandbox: what auditing a delivery or a receipt does to it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox.k3cloud_forms import INVENTORY
from sandbox.k3cloud_operations import Fault
from sandbox.store import Store

Record = dict[str, Any]
MAY_BE_NEGATIVE = "STK_InvCheckResult"
MOVES = {"SAL_OUTSTOCK": ("fstockid", "fmaterialid", -1), "STK_InStock": ("fstockid", "fmaterialid", 1)}
STEPS = {"Audit": 1, "UnAudit": -1}


def row_of(material: str, stock: str, org: str, lot: str, quantity: Decimal, stamp: str, reserved: Decimal) -> Record:
    """One row of STK_Inventory; `reserved` of the quantity is not available."""
    return {
        "fid": f"{material}|{stock}|{lot}",
        "fmaterialid": material,
        "fstockid": stock,
        "fstockorgid": org,
        "flot": lot,
        "fbaseqty": quantity,
        "fbaseavbqty": quantity - reserved,
        "fcreatedate": stamp,
        "fmodifydate": stamp,
    }


def moved(store: Store, form: str, step: str, bill: Record, flags: str, stamp: str) -> list[Fault]:
    """Move the stock by a bill's lines; a fault where it would become negative and no flag allows it."""
    if form not in MOVES or step not in STEPS:
        return []
    stock, material, sign = MOVES[form]
    rows: dict[str, Record] = {}
    for line in bill["entries"]:
        fresh = row_of(line[material], line[stock], bill["fstockorgid"], line["flot"], Decimal(0), stamp, Decimal(0))
        key = fresh["fid"]
        row = rows.get(key) or store.get(INVENTORY, key) or fresh
        change = sign * STEPS[step] * line["frealqty"]
        rows[key] = {
            **row,
            "fbaseqty": row["fbaseqty"] + change,
            "fbaseavbqty": row["fbaseavbqty"] + change,
            "fmodifydate": stamp,
        }
    short = [row for row in rows.values() if row["fbaseqty"] < 0]
    if short and MAY_BE_NEGATIVE not in flags:
        one = short[0]
        return [Fault("", f"更新库存时出现负库存: 物料 {one['fmaterialid']}, 仓库 {one['fstockid']}")]
    store.put_many(INVENTORY, rows)
    return []
