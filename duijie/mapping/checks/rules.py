"""Every rule of the lint by its stable id: its name, how bad it is, what to do. docs/lint.md is made of this."""

from __future__ import annotations

from dataclasses import dataclass

from duijie.mapping.findings import Severity


@dataclass(frozen=True)
class Rule:
    """`severity` is the usual one: certain breaks of a rule that is mostly a suspicion are told as errors."""

    id: str
    name: str
    severity: Severity
    zh: str
    en: str
    remedy: str


RULES: tuple[Rule, ...] = (
    Rule("DJ001", "not-the-language", "error", "写法不属于映射语言",
         "The file, a form or an expression is not written in the mapping language.",
         "Write it as docs/specs/mapping.md says; the finding names the place and the part that does not fit."),
    Rule("DJ002", "unknown-name", "error", "未知的名称",
         "A function, key, table, argument or entity of this name does not exist.",
         "Use the nearest valid name, which the finding gives."),
    Rule("DJ003", "suspicious", "warning", "可疑的写法",
         "Something is written in a way that hardly anyone means.",
         "See the words of the finding."),
    Rule("DJ004", "duplicate-key", "error", "键重复",
         "A target field, let, table row or any other key is given twice; only one of them could ever count.",
         "Delete one, or give it another name."),
    Rule("DJ005", "head", "error", "文件头不完整",
         "`mapping`, `from` or `to` is missing, or `mapping` is not the file's own path.",
         "Write the line that the finding asks for."),
    Rule("DJ006", "suppression", "warning", "lint: ok 注释无效",
         "A `# lint: ok` comment suppresses nothing, names no rule that exists, or gives no reason.",
         "Delete the comment, or write `# lint: ok DJ101 why this is right`."),
    Rule("DJ101", "unknown-source-field", "warning", "未知的来源字段",
         "The source has no such field, by its JSON Schema or, where there is none, by every recorded sample and test.",
         "Use the nearest name, add the field to schemas/sources, or add a sample or a test that has it."),
    Rule("DJ102", "mistyped-let", "warning", "可能写错的 let 名称",
         "A bare name that no record holds is very like a let in sight.",
         "Use the name of the let."),
    Rule("DJ201", "missing-target-field", "error", "缺少必填目标字段",
         "The target's schema requires a field that the mapping never writes.",
         "Add the field."),
    Rule("DJ202", "guarded-required-field", "warning", "必填目标字段可能不写",
         "A field that the target requires is left out where its `when` is false.",
         "Drop `when`, give a value for the other case, or skip the record."),
    Rule("DJ203", "unknown-target-field", "error", "未知的目标字段",
         "The target's schema has no such field and takes no others.",
         "Use the nearest name, which the finding gives."),
    Rule("DJ204", "target-kind", "error", "目标字段类型不符",
         "What the rule gives is not of the kind the target field takes (a warning where only null is in the way).",
         "Convert it: text(), decimal(), integer(), money(), default()."),
    Rule("DJ205", "target-value", "error", "目标字段取值不符",
         "A constant or a row of a table is no value that the target field takes.",
         "Use one of the values of the schema."),
    Rule("DJ206", "too-precise", "warning", "小数位过多",
         "The value may have more decimals than the target's `multipleOf` takes, which then refuses the document.",
         "Round it: money(), round()."),
    Rule("DJ301", "type-clash", "error", "类型冲突",
         "A function or an operator is given a kind of value that it refuses: an error where the mapping itself makes "
         "the value, a warning where the source's schema says so.",
         "Convert it first: text(), decimal(), money(), datetime()."),
    Rule("DJ302", "compared-kinds", "warning", "比较不同类型",
         "Two values of different kinds are compared, such as a text with a number: they are never equal.",
         "Convert one of them, or quote the constant."),
    Rule("DJ303", "refused-argument", "warning", "参数必然被拒绝",
         "A function is given a constant that it always refuses, such as an unknown date format or a division by zero.",
         "Give a value that the function takes."),
    Rule("DJ304", "missing-row", "warning", "表缺少编码行",
         "The source can send a code that the table has no row for, and there is no fallback.",
         "Add the row below `tables`, or give table() a third argument."),
    Rule("DJ401", "constant-condition", "warning", "条件恒定",
         "A condition is always true or never true, so a branch, a field or a line is dead.",
         "Correct the condition, or delete it and what it guards."),
    Rule("DJ402", "impossible-value", "warning", "不可能的取值",
         "A value is compared with a constant that it can never be, by a table, an enum of the source or a condition "
         "above.",
         "Use the nearest possible value, which the finding gives."),
    Rule("DJ403", "dead-let", "warning", "从未使用的 let",
         "A let is read by no field, or only by lets that are not read themselves.",
         "Delete it, or use it."),
    Rule("DJ404", "after-fail", "warning", "fail 之后的规则",
         "A rule always refuses the record, so that no rule after it ever counts.",
         "Guard it: `x if good else fail(…)`."),
    Rule("DJ405", "unused-table", "warning", "从未使用的表",
         "No rule reads the table.",
         "Delete it, or use it."),
    Rule("DJ406", "unused-row", "warning", "从未使用的表行",
         "The source can never send this code (a note where only recorded samples say so).",
         "Delete the row, or correct its code."),
    Rule("DJ407", "like-row", "warning", "相似的表行",
         "Two codes of a table differ only in case, width or white space.",
         "Delete one; clean the code with trim(), upper() or nfkc() before table()."),
    Rule("DJ501", "lost-decimals", "warning", "丢失小数位",
         "A value is rounded to fewer places than its field keeps: money() of a price or a quantity, round() to fewer "
         "places than the target's `multipleOf`, integer() of something with decimals.",
         "Round to as many places as the target keeps, or not at all."),
    Rule("DJ502", "lost-time", "warning", "丢失时间",
         "The time of day is dropped before a target field that keeps it, or the other way round.",
         "Give the field datetime(…) or date(…), as its schema says."),
    Rule("DJ503", "cut-key", "warning", "截断标识",
         "left() cuts an identifier: two records could become one.",
         "Send the whole of it, or let the record fail where it is too long."),
    Rule("DJ504", "too-long", "warning", "文本可能过长",
         "The source's text may be longer than the target field takes (an error where a constant is).",
         "Cut it with left() where that is right, or widen the target."),
    Rule("DJ601", "test-shape", "error", "测试写法错误",
         "A test in the file is not of the form a test has.",
         "A test has name, given, and either expect or error."),
    Rule("DJ602", "no-tests", "warning", "没有测试",
         "The file carries no test, so that nothing shows whether a change of it is right.",
         "Add one below `tests`: a masked record as `given`, the result as `expect`."),
    Rule("DJ603", "unreachable-expectation", "warning", "测试期望不可能的字段",
         "A test expects a field that the mapping never writes: it can only fail.",
         "Correct the name in `expect`."),
    Rule("DJ604", "unknown-given-field", "warning", "测试给出未知的来源字段",
         "A test's record has a field that the source's schema does not have, so the test shows nothing.",
         "Correct the name in `given`."),
    Rule("DJ701", "unrecorded-override", "warning", "未记录所覆盖的出厂规则",
         "A file that extends a shipped mapping overrides a rule and does not say what that rule was.",
         "Check it, then run `duijie mapping adopt FILE`, which writes it below `based_on`."),
    Rule("DJ702", "shipped-rule-changed", "warning", "升级改变了所覆盖的出厂规则",
         "An upgrade changed a shipped rule that this file overrides, so the change does not count here.",
         "Compare the two, change the override where needed, then run `duijie mapping adopt FILE`."),
    Rule("DJ703", "shipped-rule-gone", "error", "所覆盖的出厂规则已不存在",
         "An upgrade removed or renamed a shipped rule that this file overrides; the override would add a new field.",
         "Delete or rename the override; or, if it is meant as an addition, run `duijie mapping adopt FILE`."),
    Rule("DJ704", "stale-record", "warning", "based_on 中多余的记录",
         "`based_on` records a shipped rule that this file does not override.",
         "Run `duijie mapping adopt FILE`."),
)  # fmt: skip

BY_ID = {rule.id: rule for rule in RULES}


def page() -> str:
    """docs/lint.md."""
    return "\n".join([_HEAD, *map(_section, RULES)])


def _section(rule: Rule) -> str:
    return f"### {rule.id} {rule.name}\n{rule.severity} · {rule.zh}\n\n{rule.en}\n*{rule.remedy}*\n"


_HEAD = """\
# What `duijie mapping lint` finds
Every finding has a place (file:line:column), a severity, a rule, a sentence in Chinese and one in English, and where a
name is wrong the nearest right one. All findings of all files come at once; nothing is run.

| severity | when a mapping is loaded | `duijie mapping lint` |
|---|---|---|
| error | refused | exit code 1 |
| warning | loaded | exit code 1 |
| note | loaded | shown |

```
duijie mapping lint                       # mappings/, a table for people
duijie mapping lint FILE… --format sarif  # SARIF 2.1.0 for code hosts and editors; also json, gcc
duijie mapping rules DJ101                # what a rule means
```

## What the source has
`from: {entity: E}` is described by `schemas/E.json`, `from: {system: S, stream: T}` by `schemas/sources/S/T.json`.
Where that does not exist the records that were seen count: `given` of the file's own tests, and
`mappings/S/samples/T.json` and `T.*.json`, each with one record or a list of them. `ref("E", …)` gives a document of
`schemas/E.json`. What is known of a field goes on through `let`, `each … as`, comprehensions, `if … else` and tables.

An object of a schema takes the fields it lists, unless it says `additionalProperties: true`; there, and inside `has()`
and `default()` where only samples are known, just names that look like a mistyped known one are told.

## A finding that is right as it is
`# lint: ok DJ101 the shop adds this field itself` at the end of the line, or on a line of its own above it, suppresses
warnings and notes of that rule there (several: `DJ101,DJ402`). The reason is required, and a comment that suppresses
nothing is a finding itself. Errors cannot be suppressed.

## Before every commit
In your own repository, `.pre-commit-config.yaml`:

```yaml
repos:
  - repo: URL-OF-DUIJIE
    rev: VERSION
    hooks: [{id: duijie-mapping-lint}]
```

The hook runs the `duijie` of the environment you commit from.

## Rules
"""
