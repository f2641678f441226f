"""fxiaoke-python: sign in, create, read by id, list page by page, be refused. Its session rewrites the literal host."""

import json
import sys

import requests
from fxiaoke.api import FxiaokeApi
from fxiaoke.op_create import createObj
from fxiaoke.op_get import getObj
from fxiaoke.op_query import queryObj

asked = json.loads(sys.argv[1])


class Here(requests.Session):
    def request(self, method, url, **named):
        return super().request(method, url.replace("https://open.fxiaoke.com", asked["url"]), **named)


def api(secret):
    made = FxiaokeApi.init(asked["app_id"], secret, asked["permanent_code"], asked["open_user_id"])
    made._session.requests = Here()
    return made


def said(call):
    try:
        return call()
    except RuntimeError as error:
        return {"raised": str(error)}


api(asked["secret"])
created = said(lambda: createObj(dataObjectApiName="AccountObj").execute(object_data=dict(asked["account"])))
told = {
    "created": created,
    "read": said(lambda: getObj(dataObjectApiName="AccountObj").execute(created.get("dataId", ""))),
    "listed": list(queryObj(dataObjectApiName="AccountObj").execute(filters=asked["filters"], orders=asked["orders"])),
    "orders": [
        row["name"]
        for row in queryObj(dataObjectApiName="SalesOrderObj").execute(orders=asked["orders"], limit=asked["page_size"])
    ],
    "opportunity": said(
        lambda: createObj(dataObjectApiName="NewOpportunityObj").execute(object_data=dict(asked["opportunity"]))
    ),
    "refused": said(lambda: createObj(dataObjectApiName="AccountObj").execute(object_data={"name": ""})),
}
api("0" * 32)
told["stranger"] = said(lambda: createObj(dataObjectApiName="AccountObj").execute(object_data=dict(asked["account"])))
print(json.dumps(told))
