"""What the editor of 映射实验室 completes: keys from schemas/mapping.json, functions, target fields; and its words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from duijie import codec
from duijie.codec import Record
from duijie.console.words import ENTITIES
from duijie.mapping.schema import Schemas, types
from duijie.mapping.signatures import FUNCTIONS

KINDS = {
    "text": "文本",
    "decimal": "小数",
    "integer": "整数",
    "number": "数字",
    "boolean": "真假",
    "list": "列表",
    "object": "对象",
    "split": ".gross .net .tax",
    "null": "空",
    "any": "任意值",
}
HELP = {
    "text": ("(x)", "值的文本, 数字不用科学计数"),
    "join": ("(分隔, a, b, …)", "连接文本; 也可给一个列表"),
    "fail": ("(a, b, …)", "用这些话拒绝这条记录: 说明错在哪、怎么办"),
    "trim": ("(s)", "去掉首尾空白"),
    "upper": ("(s)", "大写"),
    "lower": ("(s)", "小写"),
    "nfkc": ("(s)", "全角转半角等 Unicode 规范化"),
    "replace": ("(s, 旧, 新)", "替换全部出现之处"),
    "left": ("(s, n)", "开头 n 个字"),
    "right": ("(s, n)", "末尾 n 个字"),
    "pad": ("(s, n, 字)", "在左侧用一个字补足到 n 个字"),
    "length": ("(s)", "字数"),
    "starts": ("(s, 开头)", "是否以此开头"),
    "ends": ("(s, 结尾)", "是否以此结尾"),
    "contains": ("(s, 片段)", "是否含有此片段"),
    "split": ("(s, 分隔)", "拆成列表"),
    "match": ("(s, 正则)", "正则是否出现 (线性时间引擎); ^ 与 $ 限定首尾"),
    "find": ("(s, 正则, 组)", "第一处符合正则的文本或其中一组; 没有则为空"),
    "sub": ("(s, 正则, 新)", r"替换符合正则之处; \1 是第一组"),
    "position": ("(列表, 值)", "第一个相等元素的序号, 从 0 数; 没有则为空"),
    "money": ("(x)", "金额: 四舍五入到分"),
    "decimal": ("(x)", "精确小数"),
    "round": ("(x, n)", "四舍五入到 n 位"),
    "integer": ("(x)", "整数, 不是整数则报错"),
    "split_tax": ("(含税额, 税率)", "价税分离: .gross .net .tax"),
    "floor": ("(x)", "向下取整"),
    "ceil": ("(x)", "向上取整"),
    "allocate": ("(总额, 权重列表, tail=…)", "按权重分摊到分, 合计不变; 尾差可指定归末行、最大行或某行"),
    "explode": ("(子件, 数量, 金额)", "组合装拆成子件行并分摊金额"),
    "convert": ("(数量, 单位, 目标单位, 换算表, 位数)", "多单位换算, 按精确比例"),
    "convert_price": ("(单价, 单位, 目标单位, 换算表, 位数)", "单价按单位换算"),
    "rmb_words": ("(金额)", "人民币大写: 壹仟肆佰零玖元伍角"),
    "sum": ("(列表)", "合计: sum(money(l.fee) for l in lines)"),
    "min": ("(列表)", "最小"),
    "max": ("(列表)", "最大"),
    "abs": ("(x)", "绝对值"),
    "count": ("(列表)", "个数"),
    "first": ("(列表, 默认)", "第一个; 空列表时用默认"),
    "list": ("(… for x in xs)", "列表"),
    "all": ("(条件 for x in xs)", "是否全部成立"),
    "any": ("(条件 for x in xs)", "是否至少一个成立"),
    "datetime": ('(s, "%Y-%m-%d %H:%M:%S", tz="Asia/Shanghai")', '带时区的时间; 格式也可为 "ms" 或 "s"'),
    "date": ("(时间)", "日期 yyyy-mm-dd"),
    "format_date": ("(时间, 格式)", "按 strftime 写成文本"),
    "epoch_ms": ("(时间)", "毫秒时间戳"),
    "add_days": ("(时间, n)", "加 n 天"),
    "add_months": ("(时间, n)", "加 n 月; 没有那一天时取月末"),
    "month_start": ("(时间)", "当月第一天"),
    "month_end": ("(时间)", "当月最后一天"),
    "days_between": ("(日期, 日期)", "相差天数"),
    "json": ("(x)", "规范 JSON 文本"),
    "parse_json": ("(s)", "读 JSON 文本"),
    "xml": ("(根元素, x)", "写成 XML 文本"),
    "parse_xml": ("(s, 列表元素, …)", "读 XML 文本 (不解析实体); 列出的元素总是列表"),
    "table": ("(表名, 编码, 默认)", "查本文件 tables 中的一行; 没有默认时缺行即报错"),
    "xref": ("(类别, 编码, 默认)", "查对照; 缺对照时这条记录等待, 或用默认"),
    "xref_back": ("(类别, 对应值)", "反查对照: 恰好一个编码"),
    "codes": ("(类别, 对应值)", "反查对照: 全部编码"),
    "ref": ("(单据类型, key)", "当前的标准单据 (主数据); 没有时这条记录等待"),
    "present": ("(路径)", "路径是否存在, 空值也算"),
    "has": ("(路径)", "路径存在且不为空"),
    "default": ("(路径, 值)", "路径不存在或为空时用此值"),
}
NAMES = {
    "record": "整条来源记录",
    "settings": "流程的设置",
    "index": "来源元素的序号, 从 0 数",
    "nth": "结果中的序号, 从 1 数",
    "parent": "外层 each 的元素, 或整条记录",
    "true": "真",
    "false": "假",
    "null": "空",
}


def vocabulary(root: Path) -> Record:
    """Everything the editor completes."""
    schemas = Schemas.near(root / "mappings" / "any")
    return {
        "schema": codec.decode((schemas.folder / "mapping.json").read_bytes()),
        "functions": [_function(name) for name in FUNCTIONS],
        "names": NAMES,
        "entities": {
            name: {"words": ENTITIES.get(name, ""), "fields": _fields(schemas, name)} for name in schemas.names
        },
    }


def _function(name: str) -> Record:
    arguments, told = HELP.get(name, (f"({FUNCTIONS[name].arity})", ""))
    return {"name": name, "arguments": arguments, "gives": KINDS.get(FUNCTIONS[name].gives, ""), "words": told}


def _fields(schemas: Schemas, name: str) -> Record:
    return _below(schemas.entity(name) or {})


def _below(schema: dict[str, Any]) -> Record:
    """Field → what it holds, with the fields below it."""
    required = schema.get("required", ())
    return {
        name: {
            "kind": "/".join(types(each)) or ", ".join(map(str, each.get("enum", ()))),
            "words": str(each.get("description") or each.get("title") or ""),
            "required": name in required,
            "fields": _below(each.get("items") or each),
        }
        for name, each in schema.get("properties", {}).items()
    }
