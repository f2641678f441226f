"""消息服务 (TMC) over HTTP: taobao.tmc.user.permit, taobao.tmc.messages.consume and .confirm (open.taobao.com).

A message stays until it is confirmed, comes again with every consume, and in no order. `POST /_admin/tmc` has something
happen: `[{"shop": "S01", "topic": "taobao_trade_TradeChanged", "content": {"tid": 3}, "copies": 1}]`; it becomes a
message where the shop permits the topic. `copies` makes the same message come more than once in one answer.
"""

from __future__ import annotations

from duijie import codec
from sandbox.store import Record, Store
from sandbox.taobao_methods import Call, TopError

MOST = 100


def permit(call: Call) -> Record:
    """Subscribe the session's shop."""
    topics = call.given.get("topics", "")
    call.store.put("tmc_permit", call.shop, {"topics": topics.split(",") if topics else []})
    return {"is_success": True}


def consume(call: Call) -> Record:
    """Unconfirmed messages, the newest first."""
    waiting = [one["message"] for one in call.store.all("tmc") for _ in range(one["copies"])]
    chosen = waiting[::-1][: call.number("quantity", MOST, MOST)]
    return {"messages": {"tmc_message": chosen}} if chosen else {}


def confirm(call: Call) -> Record:
    """Forget messages."""
    names = call.need("s_message_ids").split(",")
    if not all(name.isdigit() for name in names):
        raise TopError(41, "Invalid arguments:s_message_ids", "isv.invalid-parameter:s_message_ids", "消息编号非法")
    for name in names:
        call.store.drop("tmc", name)
    return {"is_success": True}


def happen(store: Store, events: list[Record], now: str) -> int:
    """Make messages of events; returns how many shops wanted."""
    made = 0
    for event in events:
        permitted = store.get("tmc_permit", event["shop"]) or {"topics": []}
        if event["topic"] not in permitted["topics"]:
            continue
        number = 2_130_700_002_172_846_000 + store.next("tmc")
        message = {
            "id": number,
            "topic": event["topic"],
            "pub_time": now,
            "content": codec.encode(event["content"]).decode(),
        }
        store.put("tmc", str(number), {"message": message, "copies": int(event.get("copies", 1))})
        made += 1
    return made


METHODS = {
    "taobao.tmc.user.permit": permit,
    "taobao.tmc.messages.consume": consume,
    "taobao.tmc.messages.confirm": confirm,
}
