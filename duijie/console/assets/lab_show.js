// What 映射实验室 shows of an answer. Values become text nodes, never markup.
import { syntaxTree } from "@codemirror/language";

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") made.addEventListener("click", value);
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== ""));
  return made;
}

function link(text, act) {
  return element("button", { type: "button", class: "lab-link", onclick: act }, text);
}

export function showFindings(list, findings, jump) {
  list.replaceChildren(...findings.map((one) => element("li", { class: one.severity },
    one.line > 0 ? link(`${one.line}:${one.column}`, () => jump(one.line, one.column)) : one.file ?? "",
    element("span", {}, one.words, one.rule ? element("small", { class: "text-secondary" }, ` ${one.rule}`) : ""))));
}

export function showTests(panel, tests, jump, take) {
  const rows = tests.map((one, number) => element("tr", {},
    element("td", { class: one.passed ? "lab-passed" : "lab-failed" }, one.passed ? "通过" : "未通过"),
    element("td", {}, link(one.name, () => jump(one.line, 1)), ...one.differences.map((text) => element("div", { class: "lab-failed" }, text))),
    element("td", {}, link("用作样例", () => take(number)))));
  panel.replaceChildren(rows.length ? element("table", { class: "lab-table lab-tests" }, element("tbody", {}, ...rows))
    : element("p", { class: "text-secondary" }, "文件里没有测试 (tests)"));
}

const AGAINST = { journal: ["与日志库中这条报文的单据相比", "线上"], shipped: ["与仓库中的映射相比", "仓库"] };

export function showChanges(panel, trial) {
  if (!trial.against) {
    panel.replaceChildren(element("p", { class: "text-secondary" }, "没有可对比的: 选一条线上记录, 或修改映射"));
    return;
  }
  const [title, before] = AGAINST[trial.against];
  const rows = trial.changes.map((one) => element("tr", {}, element("td", {}, one.field),
    element("td", {}, element("code", {}, one.before)), element("td", {}, element("code", {}, one.after))));
  const head = element("tr", {}, ...["字段", before, "现在"].map((text) => element("th", {}, text)));
  panel.replaceChildren(
    element("h3", {}, `${title}: ${trial.changes.length ? `${trial.changes.length} 处不同` : "完全相同"}${trial.changes_cut ? ", 只列出前面的" : ""}`),
    rows.length ? element("table", { class: "lab-table" }, element("thead", {}, head), element("tbody", {}, ...rows)) : "");
}

// The field of the JSON text at a place, as rules name it: lines[0].gross. Beside a field, the one that its line begins.
export function fieldAt(state, position) {
  const begin = state.doc.lineAt(position);
  const first = begin.from + /^\s*/.exec(begin.text)[0].length;
  const steps = stepsTo(state, position);
  const found = isInside(state, position) || first >= begin.to ? steps : stepsTo(state, first);
  return found.reduce((path, step) => (typeof step === "number" ? `${path}[${step}]` : path ? `${path}.${step}` : step), "");
}

function isInside(state, position) {
  return !/^(Object|Array|JsonText|[{}[\],:]|⚠)$/.test(syntaxTree(state).resolveInner(position, 1).name);
}

function stepsTo(state, position) {
  const steps = [];
  for (let at = syntaxTree(state).resolveInner(position, 1); at.parent; at = at.parent) {
    if (at.name === "Property") steps.unshift(nameOf(state, at));
    else if (at.parent.name === "Array" && !"[],".includes(at.name)) steps.unshift(indexIn(at));
  }
  return steps;
}

function nameOf(state, property) {
  const name = property.getChild("PropertyName");
  return name ? JSON.parse(state.sliceDoc(name.from, name.to)) : "";
}

function indexIn(node) {
  let index = 0;
  for (let at = node.prevSibling; at; at = at.prevSibling) if (!"[],".includes(at.name)) index += 1;
  return index;
}

export function explain(panel, trail, field, jump, choose) {
  if (!field) {
    panel.replaceChildren(element("p", { class: "text-secondary mb-0" }, "点结果中的一个字段, 这里说明它的规则、位置与来源"));
    return;
  }
  const own = trail.filter((one) => one.field === field && one.role === "field");
  const conditions = trail.filter((one) => one.field === `${field} when`);
  const parts = [element("h3", {}, field), ...own.flatMap((one) => provenance(one, jump)),
    ...conditions.map((one) => element("div", {}, `条件 ${one.value}: `, element("code", {}, one.rule), " ", line(one, jump))),
    ...named(trail, own, field, jump)];
  if (!own.length) parts.push(...inside(trail, field, choose));
  panel.replaceChildren(...parts);
}

function line(one, jump) {
  if (one.file) return element("span", { class: "text-secondary" }, one.file);
  return one.line ? link(`第 ${one.line} 行`, () => jump(one.line, one.column)) : "";
}

function provenance(one, jump) {
  const rows = one.rows.map((row) => element("tr", {}, element("td", {}, element("code", {}, row.words)),
    element("td", {}, element("code", {}, row.answer), " ", line(row, jump))));
  const inputs = one.inputs.map(([path, value]) => element("tr", {}, element("td", {}, path), element("td", {}, element("code", {}, value))));
  return [
    element("div", {}, "规则 ", element("code", {}, one.rule), " ", line(one, jump)),
    element("div", {}, "值 ", element("code", {}, one.value)),
    inputs.length ? table("来源", inputs) : "",
    rows.length ? table("查到的行", rows) : "",
  ].filter(Boolean);
}

function table(title, rows) {
  return element("table", { class: "lab-table" }, element("thead", {}, element("tr", {}, element("th", { colspan: "2" }, title))),
    element("tbody", {}, ...rows));
}

// The lets that a rule uses, those of its own line before those of the whole mapping.
function named(trail, own, field, jump) {
  const words = new Set(own.flatMap((one) => one.rule.match(/[A-Za-z_]\w*/g) ?? []));
  const found = new Map();
  for (const one of trail.filter((each) => each.role === "let")) {
    const [, lead, name] = /^(.*?)\s?let (.+)$/.exec(one.field) ?? [];
    if (name && words.has(name) && (!lead || field === lead || field.startsWith(`${lead}.`) || field.startsWith(`${lead}[`))) found.set(name, one);
  }
  const rows = [...found].map(([name, one]) => element("tr", {}, element("td", {}, name), element("td", {},
    element("code", {}, one.value), " = ", element("code", {}, one.rule), " ", line(one, jump))));
  return rows.length ? [table("中间值 let", rows)] : [];
}

function inside(trail, field, choose) {
  const below = trail.filter((one) => one.role === "field" && (one.field.startsWith(`${field}.`) || one.field.startsWith(`${field}[`)));
  if (!below.length) return [element("p", { class: "text-secondary mb-0" }, "没有单独的规则: 由上一层的规则给出")];
  return [table("其中的字段", below.slice(0, 30).map((one) => element("tr", {}, element("td", {}, link(one.field, () => choose(one.field))),
    element("td", {}, element("code", {}, one.rule)))))];
}
