"""tax-invoice: authorise, issue, ask for the drawer and a file, reverse, be refused, lose an answer."""

import json
import sys
from urllib.request import Request, urlopen

from tax.invoice import InvoiceClient
from tax.invoice.utils import http

asked = json.loads(sys.argv[1])
seller, drawer, url = asked["tax_no"], asked["username"], asked["url"]
http.generate_random_string = lambda length: asked["random"]
http.get_timestamp = lambda: str(asked["now"])


def client(secret):
    return InvoiceClient(app_key=asked["app_key"], app_secret=secret, base_url=url)


right = client(asked["secret"])
told = {"unauthorised": right.auth.query_face_auth_state(seller, drawer)}
told["authorised"] = right.auth.get_authorization(seller, type="6")
told["issued"] = right.invoice.blue_invoice(**asked["form"])
number = told["issued"]["data"]["Fphm"]
told["stands"] = right.auth.query_face_auth_state(seller, drawer)
told["file"] = right.invoice.get_pdf_ofd_xml(seller, number, "4", username=drawer)
told["may_reverse"] = right.invoice.ret_invice_msg(seller, number, "2", drawer, seller)
red = {"xhdwsbh": seller, "yfphm": number, "username": drawer}
told["form"] = right.invoice.apply_red_info({**red, "sqyy": "2", "chyydm": "02"})
form_no = told["form"]["data"]["xxbbh"]
told["red"] = right.invoice.red_ticket({**red, "fpqqlsh": "red1", "tzdbh": form_no})
told["forms"] = right.invoice.sync_red_info({"nsrsbh": seller, "username": drawer, "xxbbh": form_no})
told["refused"] = right.invoice.blue_invoice(**{**asked["form"], "fpqqlsh": "BAD1", "ghdwmc": ""})
told["stranger"] = client("0" * 16).auth.get_authorization(seller)
lose = json.dumps([{"kind": "lose_answer", "match": "blueTicket", "count": 1}]).encode()
urlopen(Request(f"{url}/_admin/faults", data=lose, method="POST")).close()
told["dropped"] = right.invoice.blue_invoice(**{**asked["form"], "fpqqlsh": "LOST1"})
told["code"] = right.face.get_face_img(seller, drawer)
print(json.dumps(told))
