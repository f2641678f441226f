"""kingdee.cdp.webapi.sdk, the vendor's own: sign in, save, look up, be refused."""

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
print(json.dumps(told))
