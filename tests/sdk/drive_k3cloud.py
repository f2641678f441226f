"""kingdee.cdp.webapi.sdk, the vendor's own: sign in, save, look up, be refused; lead a sales order through its life."""

import json
import sys
import time

from k3cloud_webapi_sdk.main import K3CloudApiSdk

asked = json.loads(sys.argv[1])
if "now" in asked:
    time.time = lambda: asked["now"]
server = f"{asked['url']}/k3cloud/"


def api(secret):
    made = K3CloudApiSdk(server)
    made.InitConfig(asked["acct_id"], asked["user"], asked["app_id"], secret, server, 2052, 0)
    return made


def said(call):
    try:
        return json.loads(call())
    except RuntimeError as error:
        return {"raised": str(error)}


right = api(asked["secret"])
query = {"FormId": "GL_VOUCHER", "FieldKeys": "FVOUCHERID,FDATE,FDocumentStatus", "FilterString": "", "Limit": 2000}
told = {
    "saved": said(lambda: right.Save("GL_VOUCHER", asked["voucher"])),
    "refused": said(lambda: right.Save("GL_VOUCHER", asked["unbalanced"])),
    "listed": said(lambda: right.ExecuteBillQuery(query)),
    "stranger": said(lambda: api("0" * 32).ExecuteBillQuery(query)),
}
number = told["saved"].get("Result", {}).get("Number", "")
told["viewed"] = said(lambda: right.View("GL_VOUCHER", {"Number": number, "Id": "", "IsSortBySeq": "false"}))


def order(operation, **data):
    return said(lambda: getattr(right, operation)("SAL_SaleOrder", data))


def of_orders():
    ask = {"FormId": "SAL_SaleOrder", "FieldKeys": "FBillNo,FDocumentStatus,FAllAmount", "OrderString": "FID"}
    return said(lambda: right.ExecuteBillQuery({**ask, "Limit": 2000}))


def submitted_audited_and_taken_back(number):
    steps = []
    for operation in ("Audit", "Submit", "Audit", "Delete", "UnAudit", "Delete"):
        answer = order(operation, Numbers=[number], Ids="")
        steps.append([operation, answer["Result"]["ResponseStatus"]["IsSuccess"], of_orders()])
    return steps


if "order" in asked:
    model = asked["order"]["Model"]
    told["order"] = said(lambda: right.Save("SAL_SaleOrder", asked["order"]))
    told["again"] = said(lambda: right.Save("SAL_SaleOrder", {"Model": {**model, "FNote": "again"}}))
    told["steps"] = submitted_audited_and_taken_back(model["FBillNo"])
    models = [{**model, "FBillNo": "SDK1"}, {**model, "FCustId": {"FNumber": "NOBODY"}}, {**model, "FBillNo": "SDK2"}]
    told["batch"] = order("BatchSave", Model=models, BatchCount=1)
    told["batched"] = of_orders()
print(json.dumps(told))
