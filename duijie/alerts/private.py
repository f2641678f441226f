"""Nobody's telephone number, address, e-mail or identity number leaves in a message: they are covered in free text.

Told by their looks, as a reason is a sentence: rather too much is covered than too little. The console, behind its
login, shows the whole.
"""

from __future__ import annotations

import re
import unicodedata

PHONE, PLACE, EMAIL, CARD = "[电话]", "[地址]", "[邮箱]", "[证件]"
_GAP = r"[-\s.()]{0,2}"
_PROVINCES = (
    "北京|天津|上海|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州|"
    "云南|陕西|甘肃|青海|台湾|内蒙古|广西|西藏|宁夏|新疆|香港|澳门"
)
_HAN = r"[\u3400-\u9fff]"
_PART = r"[\u3400-\u9fff0-9A-Za-z#\-—()]"
_DISTRICT = r"(?:区(?!间|分|别)|县|旗(?!舰)|镇|乡|街道|路|街|大道)"
_AREA = rf"(?:省|市(?!场)|州|盟|村|巷|弄|{_DISTRICT})"
_ROAD = r"(?:路|街|大道|胡同|巷|弄)"
_ESTATE = r"(?:小区|花园|公寓|大厦|广场|中心|家园|新村|苑|园|城|府|湾|庄|开发区)"
_WAY = rf"(?:{_ROAD}|{_ESTATE}|道|村|镇|乡|屯|里|坊)"
_NUMBER = r"[0-9A-Za-z一二三四五六七八九十百甲乙丙]{1,6}(?:[-—#][0-9A-Za-z]{1,6})*"
_UNIT = r"(?:号|弄|幢|栋|座|楼|室|单元|层|组|队|期|门|户|#)"
_RUN = rf"{_PART}*(?:[ \t]{_PART}*(?:{_AREA}|{_WAY}|{_UNIT}){_PART}*)*"
_EXTENSION = rf"(?:{_GAP}(?:转|ext\.?|-)?{_GAP}\d{{1,5}})?"
_KNOWN = (
    (r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", EMAIL),
    (r"(?<!\d)\d{6}(?:19|20)\d{9}[0-9Xx](?!\d)", CARD),
    (rf"(?<!\d)(?:\+?(?:00)?86{_GAP})?1[3-9]\d{_GAP}\d{{4}}{_GAP}\d{{4}}(?!\d)", PHONE),
    (rf"(?<!\d)1[3-9]\d{_GAP}\d{{3}}{_GAP}\d{{5}}(?!\d)", PHONE),
    (rf"(?<!\d)(?:\+?86{_GAP})?[(]?0?\d{{2,3}}[)]?[-\s)]{{1,2}}\d{{3,4}}{_GAP}\d{{4}}{_EXTENSION}(?!\d)", PHONE),
    (r"(?<!\d)0\d{9,11}(?!\d)", PHONE),
    (rf"(?<!\d)[48]00{_GAP}\d{{3,4}}{_GAP}\d{{3,4}}(?!\d)", PHONE),
    (rf"(?:{_PROVINCES})[ \t]?(?={_HAN}{{0,12}}{_AREA}){_RUN}", PLACE),
    (rf"{_HAN}{{2,8}}(?:市(?!场)|州|盟)[ \t]?{_HAN}{{1,8}}(?:市|{_DISTRICT}){_RUN}", PLACE),
    (rf"{_HAN}{{1,12}}{_WAY}[ \t]?{_NUMBER}[ \t]?{_UNIT}{_RUN}", PLACE),
    (rf"{_HAN}{{1,12}}{_ROAD}\d{{1,5}}(?!\d){_RUN}", PLACE),
)
_PATTERNS = tuple((re.compile(pattern), shown) for pattern, shown in _KNOWN)


def cover(text: str) -> str:
    """The text with what looks like a person's number or address covered, digits of any width counted."""
    text = unicodedata.normalize("NFKC", text)
    for pattern, shown in _PATTERNS:
        text = pattern.sub(shown, text)
    return text
