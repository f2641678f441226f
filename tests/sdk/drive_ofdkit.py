"""ofdkit: what it reads out of OFD files, and how it refuses those that are none."""

import json
import sys

import ofdkit

asked = json.loads(sys.argv[1])


def read(path):
    try:
        return ofdkit.extract_invoice(path).to_dict()
    except ofdkit.OFDError as error:
        return {"error": type(error).__name__}


print(json.dumps({name: read(path) for name, path in asked.items()}, default=str, ensure_ascii=False))
