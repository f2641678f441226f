"""XML in records: the same shape in and out, nothing outside the text reached."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duijie.mapping.markup import parse_xml, xml
from duijie.mapping.values import Fault

NAMES = st.sampled_from(["no", "行", "item", "line", "a.b-c", "_x"])
WORDS = st.text(
    st.characters(
        exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff", include_characters="\t\n\r<>&\"'"
    ),
    min_size=1,
    max_size=12,
).filter(str.strip)


def objects(inner):
    """Objects as XML has them: attributes, then text, then children; lists under names of their own."""
    return st.builds(
        lambda attributes, words, children, lines: (
            {f"@{name}": text for name, text in attributes.items()}
            | children
            | ({"line": lines} if lines else {})
            | ({"#text": words} if words and (attributes or children or lines) else {})
        ),
        st.dictionaries(NAMES, st.text("aé\t\n\r 中<&'", max_size=5), max_size=2),
        st.one_of(st.none(), WORDS),
        st.dictionaries(NAMES.filter(lambda name: name != "line"), inner, max_size=3),
        st.lists(inner, max_size=3),
    ).map(lambda made: made or None)


VALUES = st.recursive(st.one_of(st.none(), WORDS), objects, max_leaves=12)


@given(VALUES)
def test_what_is_written_is_read_back(value):
    assert parse_xml(xml("doc", value), "line") == value


@given(VALUES)
def test_the_order_of_the_fields_is_kept(value):
    again = parse_xml(xml("doc", value), "line")
    assert _order(again) == _order(value)


def _order(value):
    if isinstance(value, dict):
        named = [key for key in value if key != "#text"]
        return [(key, _order(value[key])) for key in named]
    return [_order(each) for each in value] if isinstance(value, list) else None


DOCUMENT = """<?xml version="1.0" encoding="GBK"?>
<!-- of a vendor --><ns:order xmlns:ns="urn:x" id="7">
  <ns:no>0012.50</ns:no> <memo/> <blank> </blank> <![CDATA[]]>
  <lines><line sku="A">2</line></lines>
  <tag>x</tag><?skip me?><tag>y &amp; <![CDATA[<z>]]></tag>
</ns:order>"""


def test_texts_stay_texts_and_prefixes_go(value):
    assert value("parse_xml(body, 'line')", {"body": DOCUMENT}) == {
        "@id": "7",
        "no": "0012.50",
        "memo": None,
        "blank": None,
        "lines": {"line": [{"@sku": "A", "#text": "2"}]},
        "tag": ["x", "y & <z>"],
    }
    assert value("parse_xml(body).lines.line['@sku']", {"body": DOCUMENT}) == "A"


def test_objects_are_written_in_order(value):
    record = {"no": "A&B", "gross": Decimal("1E+2"), "tax": Decimal("1.10"), "lines": [{"sku": "X"}, None]}
    assert value(
        "xml('order', {'@xmlns': 'urn:x', '@empty': null, 'no': no, 'gross': gross, 'tax': tax, 'paid': true, "
        "'memo': null, 'line': lines, 'none': []})",
        record,
    ) == (
        '<order xmlns="urn:x"><no>A&amp;B</no><gross>100</gross><tax>1.10</tax><paid>true</paid><memo/>'
        "<line><sku>X</sku></line><line/></order>"
    )


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'
OUTSIDE = '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: parse_xml("<a>"), "cannot be parsed"),
        (lambda: parse_xml(""), "cannot be parsed"),
        (lambda: parse_xml("<a>\x01</a>"), "cannot be parsed"),
        (lambda: parse_xml("<a>\ud800</a>"), "surrogate"),
        (lambda: parse_xml(BOMB), "document type declaration"),
        (lambda: parse_xml(OUTSIDE), "document type declaration"),
        (lambda: parse_xml("<a>" * 150 + "</a>" * 150), "100 levels"),
        (lambda: parse_xml("<a>" + "x" * 1_000_000 + "</a>"), "1000000 characters"),
        (lambda: parse_xml("<a>" + "<b/>" * 100_002 + "</a>"), "longer than 100000"),
        (lambda: parse_xml(None), "a text is needed"),
        (lambda: parse_xml("<a/>", 1), "a text is needed"),
        (lambda: xml("order", {"lines": [{"memo": "ok"}, {"memo": "a\x0bb"}]}), "lines[1].memo: character 2 (U+000B)"),
        (lambda: xml("a", "\ud800"), "U+D800"),
        (lambda: xml("a", {"@b": "\x00"}), "a.@b: character 1"),
        (lambda: xml("a b", None), "name of an XML element"),
        (lambda: xml("", None), "name of an XML element"),
        (lambda: xml("a", {"{urn}b": 1}), "name of an XML element"),
        (lambda: xml("a", {"1": 1}), "a.1: cannot be the name"),
        (lambda: xml("a", {"@1": 1}), "a.@1: cannot be the name"),
        (lambda: xml("a", {"b": [[1]]}), "a.b[0]: a list"),
        (lambda: xml("a", {"@b": {}}), "cannot become text"),
        (lambda: xml(1, None), "a text is needed"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(call, said):
    with pytest.raises(Fault) as caught:
        call()
    assert said in caught.value.en
    assert caught.value.zh
