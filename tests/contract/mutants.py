"""For every check one connector that breaks just this promise, in a way that connectors do break it."""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlencode

from duijie.codec import Record
from duijie.connect.errors import (
    AlreadyThere,
    ConfigError,
    CredentialError,
    DuijieError,
    OutcomeUnknown,
    RateLimited,
    Transient,
    VendorRejected,
)
from duijie.connect.hooks import Call, Push, Pushed
from duijie.connect.protocol import Done, Figures, Found, Later, Outcome, Page, Refused, Unknown, Window
from duijie.connect.tokens import Token
from tests.contract.model import SPEC, Book, Client, Model, Orders, Parts, Signed


def with_client(**changed: Any) -> Parts:
    return with_model(client_type=type("Spoilt", (Client,), changed))


def with_stream(**changed: Any) -> Parts:
    return with_model(stream_type=type("Spoilt", (Orders,), changed))


def with_sink(**changed: Any) -> Parts:
    return with_model(sink_type=type("Spoilt", (Book,), changed))


def with_model(**changed: Any) -> Parts:
    return Parts(model=type("Spoilt", (Model,), changed))


def with_hook(**changed: Any) -> Parts:
    return Parts(hook=type("Spoilt", (Signed,), changed))


def refused(error: DuijieError) -> Refused:
    return Refused("X", error.zh, error.en)


# The line ----------------------------------------------------------------------------------------------------


def own_token(self: Client) -> Token:
    return self.__dict__.setdefault("own", None) or self.__dict__.update(own=self.fetch()) or self.own


def blurred_error(self: Client, code: str, text: str) -> DuijieError:
    made = Client.error(self, code, text)
    return VendorRejected("对方拒绝", en="refused") if isinstance(made, CredentialError) else made


def clockless_error(self: Client, code: str, text: str) -> DuijieError:
    return ConfigError("签名错误", en="signature") if code == "clock" else Client.error(self, code, text)


READ_UP_TO: set[str] = set()


def only_what_is_new(self: Orders, window: Window) -> Iterator[Page]:
    for page in Orders.read(self, window):
        token = self.client.token().value
        yield Page([] if f"{token}{page.records}" in READ_UP_TO else page.records)
        READ_UP_TO.add(f"{token}{page.records}")


# Reading -----------------------------------------------------------------------------------------------------


def without_last_page(self: Orders, window: Window) -> Iterator[Page]:
    pages = list(Orders.read(self, window))
    yield from pages[:-1] or pages


def with_floats(self: Client, response: Any) -> Record:
    Client.unwrap(self, response)
    return dict(json.loads(response.content))


def weighed_in_text(self: Orders, answer: Record) -> Page:
    rows = [{**row, "weight": str(row["weight"])} for row in answer["rows"]]
    return Page(rows, total=int(answer["total"]))


def nameless(self: Orders, answer: Record) -> Page:
    return Page([{**row, "name": ""} for row in answer["rows"]], total=int(answer["total"]))


def whatever_the_window(self: Orders, window: Window) -> Iterator[Page]:
    everything = Window(
        window.since.replace(year=2026, month=11, day=1), window.until.replace(year=2026, month=11, day=20)
    )
    return Orders.read(self, window if window.keys else everything)


def short_windows_only(self: Orders, window: Window) -> Iterator[Page]:
    if (window.until - window.since).days > 20:
        raise ConfigError("时间窗口过长", en="window too long")
    return Orders.read(self, window)


def keys_ignored(self: Orders, window: Window) -> Iterator[Page]:
    return Orders.read(self, replace(window, keys=()))


def token_is_a_credential(self: Client, code: str, text: str) -> DuijieError:
    return CredentialError("令牌无效, 请更新", en="token") if code == "token" else Client.error(self, code, text)


def hurried(self: Client, query: Mapping[str, str]) -> Record:
    """Repeats at once, whatever it was told."""
    for _ in range(3):
        try:
            return once(self, query)
        except Transient:
            continue
    return Client.read(self, query)


def once(self: Client, query: Mapping[str, str]) -> Record:
    return self.call("GET", f"/orders?{urlencode(query)}", None)


def gives_up_on(kind: type[DuijieError]) -> Any:
    def read(self: Client, query: Mapping[str, str]) -> Record:
        try:
            return once(self, query)
        except kind as error:
            raise VendorRejected("对方拒绝", en=str(error)) from error
        except (Transient, OutcomeUnknown):
            return Client.read(self, query)

    return read


def gives_up_when_busy(self: Client, query: Mapping[str, str]) -> Record:
    try:
        return once(self, query)
    except (Transient, OutcomeUnknown) as error:
        if "503" in str(error):
            raise VendorRejected("对方拒绝", en=str(error)) from error
        return Client.read(self, query)


def empty_where_unreadable(self: Client, query: Mapping[str, str]) -> Record:
    try:
        return once(self, query)
    except OutcomeUnknown as error:
        if "JSON" in error.zh:
            return {"rows": [], "total": 0}
        return Client.read(self, query)
    except Transient:
        return Client.read(self, query)


def without_total(self: Orders, answer: Record) -> Page:
    return Page(answer["rows"])


# Writing -----------------------------------------------------------------------------------------------------


def found_with_other_figures(self: Book, keys: Sequence[str]) -> Mapping[str, Found]:
    return {key: replace(one, figures={"amount": Decimal(1)}) for key, one in Book.find(self, keys).items()}


def found_everything(self: Book, keys: Sequence[str]) -> Mapping[str, Found]:
    return {key: Found("1", key, {"amount": Decimal("1.50")}) for key in keys} | dict(Book.find(self, keys))


def outcome_by(kind: type[DuijieError], becomes: Any) -> Any:
    """One kind of failure is told as something else."""

    def write(self: Book, payloads: Sequence[Record]) -> Sequence[Outcome]:
        outcomes: list[Outcome] = []
        for each in payloads:
            try:
                outcomes.append(self.create(each))
            except kind as error:
                outcomes.append(becomes(error))
            except DuijieError:
                outcomes.append(self.client.retrier.outcome(partial(self.create, each)))
        return outcomes

    return write


def lost_is_later(error: DuijieError) -> Outcome:
    return Later(error.zh, error.en) if "丢失" in error.zh else unknown(error)


def nonsense_is_later(error: DuijieError) -> Outcome:
    return Later(error.zh, error.en) if "JSON" in error.zh else unknown(error)


def unknown(error: DuijieError) -> Outcome:
    return Unknown(error.zh, error.en)


def numbered_anew(self: Book, payload: Record) -> Done:
    try:
        return Book.create(self, payload)
    except AlreadyThere:
        return Book.create(self, {**payload, "no": payload["no"] + secrets.token_hex(2)})


def stops_at_the_first(self: Book, payloads: Sequence[Record]) -> Sequence[Outcome]:
    made = Book.write(self, payloads)
    return list(itertools.takewhile(lambda one: not isinstance(one, Refused), made))


def in_latin(self: Book, payload: Record) -> Done:
    return Book.create(self, {**payload, "name": payload["name"].encode("gbk", "replace").decode("gbk")})


def through_floats(self: Book, payload: Record) -> Figures:
    return {
        "amount": Decimal(float(payload["amount"]))
        if Decimal(payload["amount"]) > 10**6
        else Decimal(payload["amount"])
    }


def reversed_once_only(self: Book, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
    gone = [each for each in payloads if self.key_of(each) not in Book.find(self, [self.key_of(each)])]
    return [Refused("gone", "单据不存在", "gone")] if gone else Book.reverse(self, payloads, native_ids)


def updated_by_a_new_one(self: Book, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
    return [Book.create(self, {**each, "no": f"{each['no']}-{secrets.token_hex(2)}"}) for each in payloads]


# Pushes ------------------------------------------------------------------------------------------------------


class Deaf(Signed):
    def verify(self, call: Call) -> Push:
        return replace(Signed.verify(self, call), items=())


class Trusting(Signed):
    def verify(self, call: Call) -> Push:
        return Push((self.item(call.body),), "1")


def random_nonce(self: Signed, call: Call) -> str:
    return secrets.token_hex(4)


def raw_item(self: Signed, body: bytes) -> Pushed:
    record = json.loads(body)
    return Pushed("order", record["no"], record)


def open_settings() -> Parts:
    return Parts(spec=replace(SPEC, settings=tuple(replace(one, secret=False) for one in SPEC.settings)))


MUTANTS: Mapping[str, Parts] = {
    "the_form_is_complete": open_settings(),
    "the_test_of_a_connection_speaks": with_model(check=lambda self: []),
    "streams_and_sinks_are_as_declared": with_stream(name="orders"),
    "one_worker_fetches_the_token": with_client(token=own_token),
    "a_wrong_key_is_a_credential_error": with_client(error=blurred_error),
    "no_secret_shows": with_client(__repr__=lambda self: f"Client({self._connection.password})"),
    "a_clock_that_is_off_is_told": with_client(error=clockless_error),
    "signatures_equal_the_published": with_client(sign=staticmethod(lambda *_: "0" * 64)),
    "a_second_worker_reads_the_same": with_stream(read=only_what_is_new),
    "every_record_once": with_stream(read=without_last_page),
    "numbers_are_exact": with_client(unwrap=with_floats),
    "records_make_valid_documents": with_stream(page=nameless),
    "an_empty_window_is_empty": with_stream(read=whatever_the_window),
    "the_longest_window_is_answered": with_stream(read=short_windows_only),
    "keys_bring_exactly_their_records": with_stream(read=keys_ignored),
    "a_token_may_expire_between_pages": with_client(error=token_is_a_credential),
    "retry_after_is_honoured": with_client(read=hurried),
    "a_limit_without_a_time_is_waited_out": with_client(read=gives_up_on(RateLimited)),
    "a_busy_server_is_asked_again": with_client(read=gives_up_when_busy),
    "a_lost_answer_to_a_read_is_read_again": with_client(read=gives_up_on(OutcomeUnknown)),
    "nonsense_is_never_taken_for_records": with_client(read=empty_where_unreadable),
    "shifting_pages_lose_nothing": with_stream(page=without_total),
    "records_look_as_recorded": with_stream(page=weighed_in_text),
    "what_was_written_is_found": with_sink(find=found_with_other_figures),
    "what_is_not_there_is_not_found": with_sink(find=found_everything),
    "a_lost_answer_is_unknown_and_found": with_sink(write=outcome_by(OutcomeUnknown, lost_is_later)),
    "nonsense_in_answer_to_a_write_is_unknown": with_sink(write=outcome_by(OutcomeUnknown, nonsense_is_later)),
    "twice_is_once": with_sink(create=numbered_anew),
    "what_was_not_carried_out_may_be_sent_again": with_sink(write=outcome_by(OutcomeUnknown, refused)),
    "a_limit_on_writes_is_waited_for": with_sink(write=outcome_by(RateLimited, refused)),
    "one_bad_stops_no_good": with_sink(write=stops_at_the_first),
    "rare_characters_arrive_whole": with_sink(create=in_latin),
    "amounts_keep_their_cents": with_sink(figures_of=through_floats),
    "reversed_twice_is_reversed_once": with_sink(reverse=reversed_once_only),
    "updated_twice_is_updated_once": with_sink(update=updated_by_a_new_one),
    "a_genuine_push_is_taken": Parts(hook=Deaf),
    "a_forged_push_is_refused": Parts(hook=Trusting),
    "a_repeated_push_is_known_again": with_hook(nonce=random_nonce),
    "nonsense_in_a_push_raises_nothing_else": with_hook(item=raw_item),
}
