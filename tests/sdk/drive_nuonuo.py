"""nuonuo-sdk: fetch a token, ask for an invoice, look it up, be refused; over TLS, as it insists."""

import json
import secrets
import sys
import time

from nuonuo import Nuonuo

asked = json.loads(sys.argv[1])
time.time = lambda: asked["now"]
secrets.randbelow = lambda most: asked["nonce"] - 10_000_000
urls = {"base_url": f"{asked['url']}/open/v1/services", "token_url": f"{asked['url']}/accessToken"}


def client(secret):
    return Nuonuo(asked["app_key"], secret, tax_number=asked["tax_no"], **urls)


right = client(asked["secret"])
right.get_merchant_token()
told = {
    "issued": right.nst.issue(asked["order"], senid=asked["senid"]),
    "again": right.nst.issue(asked["order"]),
    "refused": right.nst.issue({**asked["order"], "orderNo": "BAD1", "buyerName": ""}),
    "found": right.nst.query(order_nos=[asked["order"]["orderNo"]], include_details=True),
}
stranger = client("0" * 16)
stranger.set_access_token(right._access_token)
told["stranger"] = stranger.nst.query(order_nos=[asked["order"]["orderNo"]])
print(json.dumps(told, default=str))
