"""SOAP by zeep, over the same session rules as HTTP: time-outs, no external entities, outcomes that are known."""

from __future__ import annotations

from typing import Any

import requests
import zeep
from zeep.exceptions import Error as ZeepError
from zeep.exceptions import Fault
from zeep.transports import Transport

from duijie.connect.budget import RateBudget
from duijie.connect.errors import AnswerLost, NotSent, VendorRejected
from duijie.connect.http import CONNECT_SECONDS, READ_SECONDS, never_left


class Soap:
    """A service described by a WSDL (URL or file path)."""

    def __init__(self, wsdl: str, budget: RateBudget, session: requests.Session | None = None) -> None:
        self._budget = budget
        transport = Transport(
            session=session or requests.Session(), timeout=CONNECT_SECONDS, operation_timeout=READ_SECONDS
        )
        settings = zeep.Settings(strict=False, forbid_dtd=True, forbid_entities=True, forbid_external=True)
        self._client = zeep.Client(wsdl, transport=transport, settings=settings)

    def call(self, operation: str, *arguments: Any, **named: Any) -> Any:
        """Call once. Raises VendorRejected for a SOAP fault, NotSent or AnswerLost for the network."""
        self._budget.take()
        try:
            return getattr(self._client.service, operation)(*arguments, **named)
        except Fault as fault:
            raise VendorRejected(
                f"对方拒绝: {fault.message}", en=f"SOAP fault: {fault.message}", code=str(fault.code)
            ) from fault
        except (requests.exceptions.RequestException, ZeepError) as error:
            if isinstance(error, requests.exceptions.ConnectTimeout) or never_left(error):
                raise NotSent("连不上 SOAP 服务, 请求未发出", en="cannot connect to the SOAP service") from error
            raise AnswerLost("SOAP 应答丢失或无法读取, 结果未知", en=f"the SOAP answer was lost: {error}") from error
