// The editors of 映射实验室: CodeMirror with what all of them share, and one marked line.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, defaultHighlightStyle, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Annotation, EditorState, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";

const PHRASES = {
  Find: "查找", Replace: "替换", next: "下一处", previous: "上一处", all: "全部", "match case": "区分大小写",
  regexp: "正则", "by word": "整词", replace: "替换", "replace all": "全部替换", close: "关闭",
  "No diagnostics": "没有问题", Diagnostics: "问题", "Completions": "补全",
};

const given = Annotation.define();
const mark = StateEffect.define();
const marked = StateField.define({
  create: () => Decoration.none,
  update(lines, change) {
    const told = change.effects.find((effect) => effect.is(mark));
    if (!told) return change.docChanged ? Decoration.none : lines;
    const style = Decoration.line({ class: "cm-marked" });
    return Decoration.set([style.range(told.value)]);
  },
  provide: (field) => EditorView.decorations.from(field),
});

function editor(parent, nonce, label, extensions) {
  return new EditorView({
    parent,
    state: EditorState.create({
      extensions: [
        EditorView.cspNonce.of(nonce),
        EditorView.contentAttributes.of({ "aria-label": label }),
        EditorState.phrases.of(PHRASES),
        indentUnit.of("  "),
        lineNumbers(), drawSelection(), bracketMatching(), highlightActiveLine(), highlightSelectionMatches(),
        search({ top: true }), syntaxHighlighting(defaultHighlightStyle), marked,
        extensions,
        keymap.of([...completionKeymap, ...closeBracketsKeymap, ...searchKeymap, ...historyKeymap, ...lintKeymap,
          ...defaultKeymap]),
      ],
    }),
  });
}

function onTyping(told) {
  return EditorView.updateListener.of((change) => {
    if (change.docChanged && change.transactions.some((one) => !one.annotation(given))) told();
  });
}

export function mappingEditor(parent, nonce, source, told) {
  return editor(parent, nonce, "映射 (YAML)", [
    yaml(), history(), closeBrackets(), lintGutter(), autocompletion({ override: [source] }), onTyping(told), EditorView.lineWrapping,
  ]);
}

export function jsonEditor(parent, nonce, label, told) {
  return editor(parent, nonce, label, [json(), history(), closeBrackets(), lintGutter(), onTyping(told), EditorView.lineWrapping]);
}

export function outputView(parent, nonce, chosen) {
  const moved = EditorView.updateListener.of((change) => {
    if (change.selectionSet || change.docChanged) chosen(change.state);
  });
  return editor(parent, nonce, "结果 (JSON, 只读): 光标所在字段的来历显示在下方", [
    json(), EditorState.readOnly.of(true), moved, EditorView.lineWrapping,
  ]);
}

// Puts a text in that nobody typed, keeping the cursor where it can stay.
export function fill(view, text) {
  if (view.state.doc.toString() === text) return;
  const anchor = Math.min(view.state.selection.main.anchor, text.length);
  view.dispatch({
    changes: { from: 0, to: view.state.doc.length, insert: text }, selection: { anchor }, annotations: given.of(true),
  });
}

export function goTo(view, line, column = 1) {
  const at = view.state.doc.line(Math.max(1, Math.min(line, view.state.doc.lines)));
  const anchor = Math.min(at.from + Math.max(0, column - 1), at.to);
  view.dispatch({
    selection: { anchor }, effects: [mark.of(at.from), EditorView.scrollIntoView(anchor, { y: "center" })],
  });
}

// Findings as markers: from their place to the end of the word or of the line.
export function markFindings(view, findings) {
  const doc = view.state.doc;
  const shown = findings.filter((one) => one.line > 0 && one.line <= doc.lines).map((one) => {
    const line = doc.line(one.line);
    const from = Math.min(line.from + one.column - 1, line.to);
    const word = /^["']?[\p{L}\p{N}_.$-]+["']?/u.exec(line.text.slice(from - line.from));
    const to = word ? from + word[0].length : line.to;
    return { from, to, severity: one.severity === "note" ? "info" : one.severity, message: one.words };
  });
  shown.sort((one, other) => one.from - other.from);
  view.dispatch(setDiagnostics(view.state, shown));
}
