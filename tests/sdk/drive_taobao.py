"""taobao-sdk-top, the vendor's SDK as a package: read orders, change a quantity, be refused."""

import json
import sys
from urllib.parse import urlsplit

import top
from top.api.base import RestApi, TopException, sign

asked = json.loads(sys.argv[1])
where = urlsplit(asked["url"])


def call(method, secret, session, **fields):
    request = type("Request", (RestApi,), {"getapiname": lambda self: method})(where.hostname, where.port)
    request.set_app_info(top.appinfo(asked["app_key"], secret))
    for name, value in fields.items():
        setattr(request, name, value)
    try:
        return request.getResponse(session)
    except TopException as error:
        return {"code": error.errorcode, "sub_code": error.subcode, "sub_msg": error.submsg}


print(
    json.dumps(
        {
            **{
                name: call(secret=asked["secret"], session=asked["session"], **one)
                for name, one in asked["calls"].items()
            },
            "stranger": call("taobao.user.seller.get", "0" * 32, asked["session"], fields="nick"),
            "expired": call("taobao.user.seller.get", asked["secret"], "no-session", fields="nick"),
            "signs": [sign(asked["secret"], one) for one in asked["to_sign"]],
        }
    )
)
