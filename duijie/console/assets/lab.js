// 映射实验室: what is typed is tried 300 ms later; the answer fills result, findings, tests and comparison.
import "./lab.css";
import { createTwoFilesPatch } from "diff";
import { completing } from "./lab_complete.js";
import { fill, goTo, jsonEditor, mappingEditor, markFindings, outputView } from "./lab_editor.js";
import { element, explain, fieldAt, showChanges, showFindings, showTests } from "./lab_show.js";

const PAUSE = 300;
const at = (id) => document.getElementById(`lab-${id}`);
const page = document.getElementById("lab");
const { nonce, csrf } = page.dataset;
const now = { shipped: "", trail: [], field: "", timer: 0, asking: null, record: null, answers: null, vocabulary: null };

const sampleText = () => {
  try {
    return JSON.parse(editors.record.state.doc.toString());
  } catch {
    return {};
  }
};
const editors = {};
editors.mapping = mappingEditor(at("text"), nonce, (context) => now.complete?.(context) ?? null, () => soon());
editors.record = jsonEditor(at("record"), nonce, "记录 (JSON)", () => { now.record = true; soon(); });
editors.answers = jsonEditor(at("answers"), nonce, "对照、主数据与设置 (JSON)", () => { now.answers = true; soon(); });
editors.output = outputView(at("output"), nonce, (state) => choose(fieldAt(state, state.selection.main.head)));

const text = () => editors.mapping.state.doc.toString();
const jump = (line, column) => { showPane("mapping"); goTo(editors.mapping, line, column); editors.mapping.focus(); };

function choose(field) {
  now.field = field;
  explain(at("explained"), now.trail, field, (line, column) => { showPane("mapping"); goTo(editors.mapping, line, column); }, choose);
}

function say(words, manner = "") {
  at("state").textContent = words;
  at("state").className = `lab-state ${manner}`;
}

async function ask(url, options) {
  const answer = await fetch(url, { ...options, headers: { "HX-Request": "true" } });
  if (answer.headers.has("HX-Redirect")) location.assign(answer.headers.get("HX-Redirect"));
  if (!answer.ok) throw new Error((await answer.text()).slice(0, 300));
  return answer.json();
}

async function open(name) {
  const file = await ask(`/lab/file?mapping=${encodeURIComponent(name)}`);
  now.shipped = file.text;
  now.record = now.answers = false;
  at("where").textContent = file.flow ? `${file.flow} (${file.where})` : "没有流程使用它";
  at("file").textContent = `mappings/${name}.yaml`;
  fill(editors.mapping, file.text);
  now.recorded = file.recorded;
  now.offered = null;
  offer(["第一个测试"], "test:0");
  history.replaceState(null, "", `/lab?mapping=${encodeURIComponent(name)}`);
  await run();
}

// The samples to choose from; the chosen one stays chosen. Before the first answer the tests are not known yet.
function offer(names, chosen = at("sample").value) {
  if (now.offered === names.join("\n")) return;
  now.offered = names.join("\n");
  const list = at("sample");
  const group = (label, options) => options.length ? [element("optgroup", { label }, ...options)] : [];
  const option = (value, words) => element("option", { value }, words);
  list.replaceChildren(
    ...group("文件内测试", names.map((name, number) => option(`test:${number}`, name))),
    ...group("线上记录 (姓名、电话、地址已遮盖)", now.recorded.map((one) => option(`record:${one.id}`, one.words))),
    ...group("其他", [option("", "粘贴 JSON")]));
  list.value = chosen;
  if (list.selectedIndex < 0) list.selectedIndex = 0;
}

function soon() {
  clearTimeout(now.timer);
  now.timer = setTimeout(run, PAUSE);
  changed();
}

// Asks for an answer; the one asked before is no longer waited for.
async function run() {
  clearTimeout(now.timer);
  now.asking?.abort();
  now.asking = new AbortController();
  const sample = at("sample").value;
  const form = new URLSearchParams({ csrf, mapping: at("mapping").value, text: text(), sample });
  if (now.record || !sample) form.set("record", editors.record.state.doc.toString() || "{}");
  if (now.answers) form.set("answers", editors.answers.state.doc.toString() || "{}");
  const begun = performance.now();
  try {
    const trial = await ask("/lab/run", { method: "POST", body: form, signal: now.asking.signal });
    show(trial, Math.round(performance.now() - begun));
  } catch (error) {
    if (error.name !== "AbortError") say(error.message || "控制台没有应答, 请稍候再试", "bad");
  }
}

function show(trial, milliseconds) {
  const findings = [...trial.findings];
  if (trial.error) findings.unshift({ ...trial.error, severity: "error", words: trial.error.words });
  if (trial.problem) findings.unshift({ line: 0, column: 0, severity: "error", words: trial.problem });
  markFindings(editors.mapping, findings);
  showFindings(at("findings"), findings, jump);
  showTests(at("panel-tests"), trial.tests, jump, (number) => { at("sample").value = `test:${number}`; restart(); });
  if (trial.compiled) offer(trial.tests.map((one) => one.name));
  if (trial.record !== null && !now.record) fill(editors.record, trial.record);
  if (trial.answers !== null && !now.answers) fill(editors.answers, trial.answers);
  showResult(trial);
  showChanges(at("panel-changes"), trial);
  tell(trial, findings, milliseconds);
}

function showResult(trial) {
  const isFresh = Boolean(trial.result);
  at("output").classList.toggle("stale", !isFresh);
  if (!isFresh) return;
  now.trail = trial.trail;
  fill(editors.output, trial.result);
  choose(now.field);
}

function tell(trial, findings, milliseconds) {
  const failed = trial.tests.filter((one) => !one.passed).length;
  at("tab-tests").textContent = trial.tests.length ? `测试 ${trial.tests.length - failed}/${trial.tests.length}` : "测试";
  at("tab-tests").classList.toggle("lab-failed", failed > 0);
  at("tab-changes").textContent = trial.against ? `对比 ${trial.changes.length}` : "对比";
  const errors = findings.filter((one) => one.severity === "error").length;
  if (errors) say(`${errors} 个错误${trial.result ? "" : ", 右侧是上一次的结果"}`, "bad");
  else say(trial.skipped ? `已跳过 (skip) · ${milliseconds} ms` : `已试算 · ${milliseconds} ms${trial.trail_cut ? " · 溯源只含前面的字段" : ""}`, "good");
}

function changed() {
  const name = at("mapping").value;
  const isChanged = text() !== now.shipped;
  at("reset").disabled = !isChanged;
  const path = `mappings/${name}.yaml`;
  at("patch").value = isChanged ? createTwoFilesPatch(`a/${path}`, `b/${path}`, now.shipped, text()).replace(/^=+\n/, "") : "";
  at("tab-patch").textContent = isChanged ? "改动 •" : "改动";
}

function restart() {
  now.record = now.answers = false;
  if (!at("sample").value) now.record = now.answers = true;
  run();
}

function download() {
  const link = element("a", { href: URL.createObjectURL(new Blob([text()], { type: "text/yaml" })),
    download: `${at("mapping").value.split("/").pop()}.yaml` });
  link.click();
  URL.revokeObjectURL(link.href);
}

async function copy() {
  at("patch").select();
  try {
    await navigator.clipboard.writeText(at("patch").value);
  } catch {
    document.execCommand("copy");
  }
  say("补丁已复制", "good");
}

function showPane(name) {
  page.dataset.pane = name;
  select(document.querySelectorAll(".lab-panes [role=tab]"), (tab) => tab.dataset.pane === name);
}

function showTab(name) {
  select(document.querySelectorAll(".lab-tabs [role=tab]"), (tab) => tab.dataset.tab === name);
  for (const panel of document.querySelectorAll(".lab-panel")) panel.hidden = panel.id !== `lab-panel-${name}`;
}

function select(tabs, isIt) {
  for (const tab of tabs) {
    tab.setAttribute("aria-selected", String(isIt(tab)));
    tab.tabIndex = isIt(tab) ? 0 : -1;
  }
}

function tablist(list, act) {
  const tabs = [...list.querySelectorAll("[role=tab]")];
  list.addEventListener("click", (event) => { const tab = event.target.closest("[role=tab]"); if (tab) act(tab); });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
    next.focus();
    act(next);
  });
}

tablist(document.querySelector(".lab-panes"), (tab) => showPane(tab.dataset.pane));
tablist(document.querySelector(".lab-tabs"), (tab) => showTab(tab.dataset.tab));
at("mapping").addEventListener("change", () => {
  if (text() !== now.shipped && !confirm("当前映射的改动还没有下载, 确定换一个文件?")) {
    at("mapping").value = now.name;
    return;
  }
  start();
});
at("sample").addEventListener("change", restart);
at("reset").addEventListener("click", () => { fill(editors.mapping, now.shipped); soon(); });
at("download").addEventListener("click", download);
at("copy").addEventListener("click", copy);
window.addEventListener("beforeunload", (event) => { if (text() !== now.shipped) event.preventDefault(); });

function start() {
  now.name = at("mapping").value;
  now.field = "";
  open(now.name).then(changed, (error) => say(error.message, "bad"));
}

ask("/lab/words").then((vocabulary) => { now.complete = completing(vocabulary, sampleText); }, (error) => say(error.message, "bad"));
choose("");
start();
