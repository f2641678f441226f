// Completion of a mapping: keys from schemas/mapping.json, target fields from the entity's schema, and inside
// expressions the functions, the lets and the paths that the sample has.
const KEY = /^(\s*(?:- +)*)(?:"([^"]*)"|'([^']*)'|([^\s#{}[\],:"'][^\s:]*))\s*:(?:\s+(.*))?$/;
const CONTROL = new Set(["fields", "each", "flat", "value", "else", "emit", "when", "let", "as", "default"]);

export function completing(vocabulary, sample) {
  const schema = walker(vocabulary.schema);
  return (context) => {
    const doc = context.state.doc;
    const line = doc.lineAt(context.pos);
    const entries = outline(doc, line.number);
    const place = standing(line.text.slice(0, context.pos - line.from), entries);
    if (!place) return null;
    const nodes = schema.at(place.path);
    return place.isKey
      ? keys(context, vocabulary, schema, nodes, place.path, doc)
      : values(context, vocabulary, schema, nodes, place.path, outline(doc), sample());
  };
}

// Every `key:` of block style with the keys above it; lists add nothing to a path.
function outline(doc, before = doc.lines + 1) {
  const found = [];
  const above = [];
  for (let number = 1; number < before; number += 1) {
    const hit = KEY.exec(doc.line(number).text);
    if (!hit) continue;
    const column = hit[1].length;
    while (above.length && above[above.length - 1].column >= column) above.pop();
    const entry = { column, key: hit[2] ?? hit[3] ?? hit[4], value: hit[5] ?? "", path: above.map((one) => one.key) };
    found.push(entry);
    above.push(entry);
  }
  return found;
}

// Where the end of a line's text stands: a key to be, or the value of the last key of `path`.
function standing(text, entries) {
  if (/^\s*#/.test(text)) return null;
  const lead = /^\s*(?:- +)*/.exec(text)[0];
  const rest = text.slice(lead.length);
  const around = enclosing(entries, lead.length);
  const hit = /^(?:"([^"]*)"|'([^']*)'|([^\s{}[\],:"'][^\s:]*))\s*:\s+(.*)$/.exec(rest);
  if (!hit && !/^[{[]/.test(rest)) return /^["']?[\w.-]*$/.test(rest) ? { isKey: true, path: around } : null;
  const path = hit ? [...around, hit[1] ?? hit[2] ?? hit[3]] : around;
  const value = hit ? hit[4] : rest;
  return /^[{[]/.test(value) ? inFlow(value, path) : { isKey: false, path };
}

function enclosing(entries, column) {
  const path = [];
  let limit = column;
  for (let at = entries.length - 1; at >= 0 && limit > 0; at -= 1) {
    if (entries[at].column < limit) {
      path.unshift(entries[at].key);
      limit = entries[at].column;
    }
  }
  return path;
}

// The same inside {…} and […] on one line.
function inFlow(text, path) {
  const open = [];
  let word = "";
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    const top = open[open.length - 1];
    const inValue = top && top.key !== null;
    if (char === '"' || char === "'") {
      const end = text.indexOf(char, at + 1);
      if (end < 0) return { isKey: false, path: [...path, ...open.flatMap((one) => one.key ?? [])] };
      word += text.slice(at + 1, end);
      at = end;
    } else if (inValue && char === "(") {
      let depth = 1;
      while (depth && at + 1 < text.length) depth += { "(": 1, ")": -1 }[text[(at += 1)]] ?? 0;
    } else if (char === "{" || char === "[") {
      open.push({ key: char === "{" ? null : undefined });
      word = "";
    } else if (char === "}" || char === "]") {
      open.pop();
      word = "";
    } else if (char === ":" && top && top.key === null && /\s|$/.test(text[at + 1] ?? "")) {
      top.key = word.trim();
      word = "";
    } else if (char === "," && top) {
      if (top.key !== undefined) top.key = null;
      word = "";
    } else word += char;
  }
  const top = open[open.length - 1];
  if (!top) return null;
  return { isKey: top.key === null, path: [...path, ...open.flatMap((one) => one.key ?? [])] };
}

// Walks a JSON Schema by keys: every alternative of anyOf, oneOf, allOf, if/then/else counts; lists are passed through.
function walker(root) {
  const deref = (node) => {
    if (!node.$ref) return node;
    const meant = node.$ref.split("/").slice(1).reduce((at, key) => at[key], root);
    return { ...meant, description: node.description ?? meant.description, name: node.$ref };
  };
  const expand = (node, above = []) => {
    if (above.includes(node.$ref)) return [];
    const flat = deref(node);
    const seen = node.$ref ? [...above, node.$ref] : above;
    const below = [flat.anyOf, flat.oneOf, flat.allOf].flatMap((many) => many ?? []);
    below.push(...[flat.then, flat.else, flat.items].filter((one) => one && typeof one === "object"));
    return [flat, ...below.flatMap((one) => expand(one, seen))];
  };
  const step = (nodes, key) => nodes.flatMap((node) => {
    if (node.properties?.[key]) return expand(node.properties[key]);
    return node.additionalProperties && typeof node.additionalProperties === "object"
      ? expand(node.additionalProperties) : [];
  });
  const start = expand(root);
  return {
    at: (path) => path.reduce(step, start),
    deref,
    isExpression: (nodes) => nodes.some((node) => node.name === "#/$defs/expression"),
  };
}

function keys(context, vocabulary, schema, nodes, path, doc) {
  const word = context.matchBefore(/[\w.-]*/);
  if (!word || (word.from === word.to && !context.explicit)) return null;
  const own = nodes.flatMap((node) => Object.entries(node.properties ?? {}));
  const options = own.map(([label, node]) => ({
    label, type: "keyword", apply: `${label}: `, info: schema.deref(node).description, boost: 1,
  }));
  for (const [label, field] of Object.entries(targets(vocabulary, path, doc))) {
    options.push({ label, type: "property", apply: `${label}: `, detail: field.required ? `${field.kind} 必填` : field.kind,
      info: field.words || undefined });
  }
  const once = new Map(options.map((one) => [one.label, one]));
  return once.size ? { from: word.from, options: [...once.values()], validFor: /^[\w.-]*$/ } : null;
}

function targets(vocabulary, path, doc) {
  const told = /^to:\s*(?:\{\s*|\n\s+)entity:\s*(\w+)/m.exec(doc.toString());
  const entity = path[0] === "emit" ? path[1] : told?.[1];
  if (!["fields", "emit"].includes(path[0]) || path.includes("let")) return {};
  const steps = path.slice(path[0] === "emit" ? 2 : 1).filter((key) => !CONTROL.has(key));
  return steps.reduce((fields, key) => fields[key]?.fields ?? {}, vocabulary.entities[entity]?.fields ?? {});
}

function values(context, vocabulary, schema, nodes, path, entries, sample) {
  const word = context.matchBefore(/[\w$]+(?:\.[\w$]*)*/) ?? (context.explicit ? { from: context.pos, text: "" } : null);
  if (!word) return null;
  if (["from", "to"].includes(path[0]) && path[1] === "entity") return entityNames(word, vocabulary);
  if (!schema.isExpression(nodes)) return null;
  const dot = word.text.lastIndexOf(".");
  if (dot >= 0) return below(word, dot, entries, sample);
  return { from: word.from, validFor: /^[\w$]*$/, options: [
    ...lets(entries).map((label) => ({ label, type: "variable", detail: "let", boost: 3 })),
    ...aliases(entries).map((one) => ({ label: one.name, type: "variable", detail: `each ${one.over}`, boost: 2 })),
    ...Object.keys(sample ?? {}).filter(isWord).map((label) => ({ label, type: "property", detail: shown(sample[label]), boost: 1 })),
    ...vocabulary.functions.map((one) => ({
      label: one.name, type: "function", detail: `${one.arguments} → ${one.gives}`, info: one.words || undefined,
      apply: `${one.name}(`,
    })),
    ...Object.entries(vocabulary.names).map(([label, info]) => ({ label, type: "constant", info })),
  ] };
}

function entityNames(word, vocabulary) {
  const options = Object.entries(vocabulary.entities).map(([label, one]) => ({ label, type: "enum", detail: one.words }));
  return { from: word.from, options, validFor: /^\w*$/ };
}

function below(word, dot, entries, sample) {
  const value = follow(word.text.slice(0, dot), entries, sample, 0);
  if (!value || typeof value !== "object" || Array.isArray(value)) return null;
  const options = Object.keys(value).filter(isWord).map((label) => ({ label, type: "property", detail: shown(value[label]) }));
  return { from: word.from + dot + 1, options, validFor: /^[\w$]*$/ };
}

// The sample's value at a dotted path; an alias stands for the first element of what it walks over.
function follow(path, entries, sample, depth) {
  const [first, ...rest] = path.trim().split(".");
  const alias = aliases(entries).find((one) => one.name === first);
  let value = first === "record" ? sample : sample?.[first];
  if (alias && depth < 5) value = follow(alias.over, entries, sample, depth + 1)?.[0];
  return rest.reduce((at, key) => at?.[key], value);
}

function aliases(entries) {
  return entries.filter((one) => one.key === "each").map((one) => {
    const named = entries.find((other) => other.key === "as" && other.path.join("\n") === one.path.join("\n"));
    return { name: named?.value.trim() || "item", over: one.value.trim() };
  });
}

function lets(entries) {
  const block = entries.filter((one) => one.path[one.path.length - 1] === "let").map((one) => one.key);
  const flow = entries.filter((one) => one.key === "let" && one.value.startsWith("{"))
    .flatMap((one) => [...one.value.matchAll(/[{,]\s*(\w+)\s*:/g)].map((hit) => hit[1]));
  return [...new Set([...block, ...flow])].filter(isWord);
}

const isWord = (name) => /^[A-Za-z]\w*$/.test(name);

function shown(value) {
  const text = JSON.stringify(value) ?? "";
  return text.length > 24 ? `${text.slice(0, 23)}…` : text;
}
