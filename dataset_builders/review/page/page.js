// The review page: one item at a time, keyboard first. Whatever an item says is put on the page as text, never as HTML.
import { Viewer } from "/page/viewer.js";

const KEYS = "1234567890bdefghjkmnopqrtvwxyz"; // of reasons
const by = (id) => document.getElementById(id);
const state = { words: {}, language: "en", reasons: [], tasks: [], at: 0, item: null, since: 0, mode: "read", verdict: "", from: null };
const items = new Map(); // fetched ahead
const word = (name) => state.words[state.language]?.[name] ?? state.words.en?.[name] ?? name;
const viewer = new Viewer(by("panels"), by("tools"), word);

class Refusal extends Error {
  constructor({ error, message }) {
    super(word(`error.${error}`) === `error.${error}` ? message : word(`error.${error}`));
    this.name = error;
  }
}

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

async function call(path, body) {
  const options = body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
  const response = await fetch(path, options);
  const answer = await response.json();
  if (!response.ok) throw new Refusal(answer);
  return answer;
}

// Sends until the server has answered: a decision with the same key is written once.
async function insist(path, body) {
  sessionStorage.setItem("pending", JSON.stringify({ reviewer: state.reviewer, path, body }));
  for (;;) {
    try {
      const answer = await call(path, body);
      sessionStorage.removeItem("pending");
      banner("");
      return answer;
    } catch (error) {
      if (error instanceof Refusal) {
        if (!["not_logged_in", "session_replaced"].includes(error.name)) sessionStorage.removeItem("pending");
        throw error;
      }
      banner(word("unreachable"));
      await new Promise((done) => setTimeout(done, 700));
    }
  }
}

function banner(text) {
  by("banner").textContent = text;
  by("banner").hidden = !text;
}

// Login and language

async function begin() {
  state.words = await (await fetch("/page/words.json")).json();
  state.language = localStorage.getItem("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");
  translate();
  const link = new URLSearchParams(location.hash.slice(1)).get("token");
  if (link) {
    history.replaceState(null, "", "/");
    by("token").value = link;
    return logIn(false);
  }
  return enter().catch((error) => askToken(error.name === "not_logged_in" ? "" : error.message));
}

function askToken(message) {
  state.item = null;
  for (const id of ["desk", "verdicts"]) by(id).hidden = true;
  document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  by("login").hidden = false;
  by("who").textContent = "";
  banner(message);
  by("token").focus();
}

async function logIn(takeOver) {
  try {
    await call("/api/login", { token: by("token").value, take_over: takeOver });
    by("token").value = "";
    by("take_over").hidden = true;
    await enter();
  } catch (error) {
    askToken(error.message);
    by("take_over").hidden = error.name !== "token_in_use";
  }
}

async function enter() {
  const session = await call("/api/session");
  Object.assign(state, { reviewer: session.reviewer, group: session.group, reasons: session.reasons, tasks: session.tasks });
  items.clear();
  banner("");
  by("login").hidden = true;
  by("who").textContent = `${session.reviewer} · ${session.group}`;
  const pending = JSON.parse(sessionStorage.getItem("pending") ?? "null");
  if (pending?.reviewer === session.reviewer) {
    try {
      state.tasks = (await insist(pending.path, pending.body)).tasks;
      dropDraft(pending.body.item);
    } catch (error) {
      banner(error.message);
    }
  }
  await open(firstOpen());
}

function translate() {
  document.documentElement.lang = state.language === "zh" ? "zh-CN" : "en";
  document.querySelectorAll("[data-word]").forEach((element) => { element.textContent = word(element.dataset.word); });
  by("language").textContent = word("other_language");
  const keyed = { correct: "C", remove: "R", previous: "←", next: "→", undo: "U", save: "Enter", cancel: "Esc" };
  for (const [id, key] of Object.entries(keyed)) by(id).replaceChildren(word(id), " ", make("kbd", { textContent: key }));
  const accept = { second_look: "confirm", adjudication: "accept_original" }[state.item?.stage] ?? "accept";
  by("accept").replaceChildren(word(accept), " ", make("kbd", { textContent: "A" }));
  const keys = { A: "k_accept", C: "k_correct", R: "k_remove", S: "k_look", U: "k_undo", "→ ←": "k_move", "↑ ↓": "k_slices",
    "Shift + ← → ↑ ↓": "k_window", "+ − 0": "k_zoom", "P [ ]": "k_panels", I: "k_invert", "1 2": "k_version" };
  by("keys").replaceChildren(...Object.entries(keys).flatMap(([key, name]) => [make("dt", {}, make("kbd", { textContent: key })), make("dd", { textContent: word(name) })]));
}

function switchLanguage() {
  state.language = state.language === "en" ? "zh" : "en";
  localStorage.setItem("language", state.language);
  const edited = state.mode === "edit" ? read() : null;
  translate();
  if (!state.item) return;
  show();
  if (edited) edit(edited);
}

// Tasks and items

const firstOpen = () => {
  const at = state.tasks.findIndex((task) => !task.verdict);
  return at < 0 ? state.tasks.length : at;
};

const keyOf = (task) => `${task.stage} ${task.item}`;

function fetchItem(task) {
  if (!items.has(keyOf(task))) {
    const loading = call(`/api/items/${encodeURIComponent(task.item)}`);
    items.set(keyOf(task), loading);
    loading.catch(() => items.delete(keyOf(task)));
  }
  return items.get(keyOf(task));
}

async function open(at) {
  state.at = at < state.tasks.length ? Math.max(at, 0) : firstOpen(); // behind the last one: what was left out
  state.item = null; // until it is there, keys do nothing
  delete by("desk").dataset.item;
  state.mode = "read";
  state.from = null;
  by("second_look").checked = false;
  count();
  const task = state.tasks[state.at];
  by("verdicts").hidden = false;
  if (!task) {
    by("desk").hidden = true;
    return banner(word(state.tasks.length ? "done" : "nothing"));
  }
  let item;
  try {
    item = await fetchItem(task);
  } catch (error) {
    return failed(error);
  }
  if (state.tasks[state.at] !== task) return undefined; // another key was faster
  state.item = item;
  by("desk").hidden = false;
  state.since = performance.now();
  translate();
  show();
  showImages();
  by("desk").dataset.item = keyOf(task);
  const draft = sessionStorage.getItem(draftKey());
  if (draft) {
    edit(JSON.parse(draft));
    by("saved").textContent = word("draft");
  }
  prefetch();
  return undefined;
}

function prefetch() {
  for (const task of state.tasks.slice(state.at + 1, state.at + 3)) {
    fetchItem(task).then((item) => viewer.prefetch(item.images.flat())).catch(() => {});
  }
}

function count() {
  const done = state.tasks.filter((task) => task.verdict).length;
  Object.assign(by("progress"), { value: done, max: Math.max(state.tasks.length, 1) });
  by("count").textContent = `${done} / ${state.tasks.length}`;
}

function failed(error) {
  by("saved").textContent = "";
  if (["not_logged_in", "session_replaced"].includes(error.name)) return askToken(error.message);
  return banner(error instanceof Refusal ? error.message : word("unreachable"));
}

// What is shown

function show() {
  const { item } = state;
  const mine = item.decision;
  by("stage").replaceChildren(
    make(item.stage === "first" ? "span" : "strong", { textContent: word(`stage_${item.stage}`) }),
    ` · ${item.task} · ${item.rule}${item.private ? ` · ${word("hospital")}` : ""}`,
  );
  by("earlier").replaceChildren(...item.earlier.map((one, number) => showEarlier(one, `${word("earlier")} ${number + 1}: `, number)),
    ...(mine ? [showEarlier(mine, word("was"))] : []));
  by("fields").replaceChildren(...showFields((item.stage === "second_look" ? item.earlier[0]?.fields : null) ?? item.fields));
  showSource();
}

function showEarlier(decision, title, number) {
  const names = state.reasons.filter((reason) => decision.reasons.includes(reason.code)).map((reason) => reason[state.language]);
  const box = make("div", { className: "earlier" }, make("strong", { textContent: `${title}${word(decision.verdict)}` }),
    names.length ? make("div", { textContent: names.join("; ") }) : "", decision.comment ? make("div", { textContent: `“${decision.comment}”` }) : "");
  if (decision.fields) {
    for (const name of Object.keys(decision.fields)) {
      const [before, after] = [asText(state.item.fields[name]), asText(decision.fields[name])];
      if (before !== after) box.append(make("div", {}, make("b", { textContent: `${word(name === "turns" ? "assistant" : name)}: ` }), ...difference(before, after)));
    }
    if (number !== undefined) {
      const button = make("button", { type: "button" }, word("use_version"), " ", make("kbd", { textContent: String(number + 1) }));
      button.addEventListener("click", () => edit(decision.fields));
      box.append(button);
    }
  }
  return box;
}

const asText = (value) => (Array.isArray(value) ? value.join("\n") : value ?? "");

function field(name, title, ...content) {
  const box = make("div", { className: "field" }, make("h3", { textContent: title }), ...content);
  box.dataset.field = name;
  return box;
}

function titleOf(turn) {
  if (turn === 0) return word("question");
  return word(state.item.roles[turn]);
}

function showFields(fields) {
  const { item } = state;
  const boxes = fields.turns.map((text, turn) => field(`turn_${turn}`, titleOf(turn), make("p", { textContent: text })));
  if (fields.options.length) {
    const right = fields.answer ?? "";
    const lines = fields.options.map((text, at) => {
      const letter = String.fromCharCode(65 + at);
      return make("div", { className: `option${right.includes(letter) ? " right" : ""}` }, make("span", { textContent: `${letter}.` }), make("span", { textContent: text }), right.includes(letter) ? "✓" : "");
    });
    boxes.splice(1, 0, field("options", `${word("options")} · ${word("answer")} ${right}`, ...lines));
  } else if (fields.answer !== null && fields.answer !== fields.turns.at(-1)) {
    boxes.push(field("answer", word("reference"), make("p", { textContent: fields.answer })));
  }
  fields.rubric.forEach((text, at) => boxes.push(field(`rubric_${at}`, `${word("rubric")} · ${item.dimensions[at]}`, make("p", { textContent: text }))));
  const labels = ["levels", "discs"].filter((name) => fields[name].length).map((name) => `${word(name)}: ${fields[name].join(", ")}`);
  if (fields.axis) labels.push(`${word("axis")}: ${fields.axis}`);
  if (labels.length) boxes.push(field("labels", "", make("p", { textContent: labels.join(" · ") })));
  return boxes;
}

function showSource() {
  const { item } = state;
  const { title, id, locator, kind, licence, doi, url } = item.source;
  by("reference").textContent = [title ?? id, `${word("page")}: ${locator}`, item.figure, kind, `${word("licence")}: ${licence}`, doi, url].filter(Boolean).join(" · ");
  const captions = item.slices.filter((slice) => slice.caption && item.images.flat().includes(slice.sha256));
  const passages = item.context.map((paragraph, number) => make("p", {}, ...highlight(paragraph, item.quotes.filter((quote) => quote.paragraph === number))));
  by("passage").replaceChildren(...(passages.length || captions.length ? passages : [make("p", { className: "hint", textContent: word("no_context") })]),
    ...captions.filter((slice) => !item.context.some((text) => text.includes(slice.caption))).map((slice) => make("p", { className: "hint", textContent: slice.caption })));
}

// Offsets count characters as Python does, so astral ones are one each.
function highlight(paragraph, quotes) {
  const characters = Array.from(paragraph);
  const marked = new Array(characters.length).fill(false);
  for (const { start, end } of quotes) marked.fill(true, start, end);
  const parts = [];
  for (let at = 0, from = 0; at < characters.length; from = at) {
    while (at < characters.length && marked[at] === marked[from]) at++;
    parts.push(make(marked[from] ? "mark" : "span", { textContent: characters.slice(from, at).join("") }));
  }
  return parts;
}

function showImages() {
  const { item } = state;
  const shown = item.images.flat();
  const slices = item.slices.map((slice) => ({ sha256: slice.sha256, shown: shown.includes(slice.sha256), label: `${slice.locator}${shown.includes(slice.sha256) ? ` – ${word("shown_image")}` : ""}` }));
  const missing = shown.filter((sha256) => !slices.some((slice) => slice.sha256 === sha256));
  slices.unshift(...missing.map((sha256) => ({ sha256, shown: true, label: word("shown_image") })));
  by("images").hidden = !slices.length;
  by("desk").classList.toggle("text", !slices.length);
  if (slices.length) viewer.show(slices, Math.max(slices.findIndex((slice) => slice.sha256 === shown[0]), 0));
  else viewer.slices = [];
}

// Words that went and came, by their longest common subsequence; Chinese by characters.
function difference(before, after) {
  const split = (text) => text.match(/[\u3400-\u9fff]|[^\s\u3400-\u9fff]+|\s+/gu) ?? [];
  const [old, fresh] = [split(before), split(after)];
  if (old.length * fresh.length > 4e6) return [make("del", { textContent: before }), make("ins", { textContent: after })];
  const length = Array.from({ length: old.length + 1 }, () => new Uint16Array(fresh.length + 1));
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = fresh.length - 1; j >= 0; j--) length[i][j] = old[i] === fresh[j] ? length[i + 1][j + 1] + 1 : Math.max(length[i + 1][j], length[i][j + 1]);
  }
  const parts = [];
  const add = (tag, text) => {
    if (parts.at(-1)?.localName === tag) parts.at(-1).textContent += text;
    else parts.push(make(tag, { textContent: text }));
  };
  let [i, j] = [0, 0];
  while (i < old.length || j < fresh.length) {
    if (i < old.length && j < fresh.length && old[i] === fresh[j]) { add("span", old[i++]); j++; }
    else if (j >= fresh.length || (i < old.length && length[i + 1][j] >= length[i][j + 1])) add("del", old[i++]);
    else add("ins", fresh[j++]);
  }
  return parts;
}

// Corrections

function edit(fields) {
  const { item } = state;
  state.mode = "edit";
  state.edited = structuredClone(fields);
  const text = (name, value, rows) => {
    const area = make("textarea", { value, rows: rows ?? Math.min(Math.max(2, Math.ceil(value.length / 60) + value.split("\n").length), 18) });
    area.dataset.input = name;
    area.setAttribute("aria-label", name);
    area.addEventListener("input", keepDraft);
    return area;
  };
  const line = (name, value) => {
    const input = make("input", { value });
    input.dataset.input = name;
    input.setAttribute("aria-label", name);
    input.addEventListener("input", keepDraft);
    return input;
  };
  const boxes = [make("p", { className: "hint", textContent: word("edit_hint") })];
  boxes.push(...fields.turns.map((value, turn) => field(`turn_${turn}`, titleOf(turn), text(`turns.${turn}`, value))));
  const options = fields.options.map((value, at) => make("label", { className: "option" }, `${String.fromCharCode(65 + at)}.`, line(`options.${at}`, value)));
  if (options.length) boxes.splice(2, 0, field("options", word("options"), ...options), field("answer", word("answer"), line("answer", fields.answer ?? "")));
  else if (fields.answer !== null && item.fields.answer !== item.fields.turns.at(-1)) boxes.push(field("answer", word("reference"), text("answer", fields.answer)));
  fields.rubric.forEach((value, at) => boxes.push(field(`rubric_${at}`, `${word("rubric")} · ${item.dimensions[at]}`, text(`rubric.${at}`, value, 2))));
  for (const name of ["levels", "discs"]) boxes.push(field(name, `${word(name)} (${word("list_hint")})`, line(name, fields[name].join(", "))));
  boxes.push(field("axis", word("axis"), line("axis", fields.axis ?? "")));
  by("fields").replaceChildren(...boxes);
  by("fields").querySelector("textarea").focus();
}

function read() {
  const fields = structuredClone(state.edited);
  for (const input of by("fields").querySelectorAll("[data-input]")) {
    const [name, at] = input.dataset.input.split(".");
    if (at !== undefined) fields[name][at] = input.value;
    else if (["levels", "discs"].includes(name)) fields[name] = input.value.split(/[,，、\s]+/).filter(Boolean);
    else fields[name] = name === "axis" && !input.value.trim() ? null : input.value;
  }
  return fields;
}

const draftKey = () => `draft ${state.reviewer} ${state.item?.id}`;
const dropDraft = (item) => sessionStorage.removeItem(`draft ${state.reviewer} ${item}`);
const keepDraft = () => sessionStorage.setItem(draftKey(), JSON.stringify(read()));

function startCorrection(number) {
  const { item } = state;
  const colleague = number === undefined ? (item.stage === "second_look" ? item.earlier[0] : null) : item.earlier[number];
  edit(item.decision?.fields ?? colleague?.fields ?? item.fields);
}

function leaveEdit() {
  dropDraft(state.item.id);
  state.mode = "read";
  show();
}

function askReasons(verdict) {
  state.verdict = verdict;
  by("reasons_title").textContent = word(`${verdict}_title`);
  by("refusal").textContent = "";
  const before = state.item.decision;
  by("comment").value = before?.comment ?? "";
  by("reason_list").replaceChildren(...state.reasons.map((reason, at) => {
    const box = make("input", { type: "checkbox", value: reason.code, checked: Boolean(before?.reasons.includes(reason.code)) });
    return make("label", {}, make("kbd", { textContent: (KEYS[at] ?? "").toUpperCase() }), " ", box, ` ${reason[state.language]}`);
  }));
  by("reasons").showModal();
  by("reasons").focus();
}

// Verdicts

const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

async function decide(verdict) {
  if (!state.item || state.busy) return;
  const { item } = state;
  const isAccept = verdict === "accept";
  const body = {
    key: newKey(), item: item.id, item_sha256: item.sha256, stage: item.stage, verdict,
    reasons: isAccept ? [] : [...by("reason_list").querySelectorAll("input:checked")].map((box) => box.value),
    comment: isAccept ? "" : by("comment").value, corrected: verdict === "correct" ? read() : null,
    second_look: by("second_look").checked, seconds: Math.round((performance.now() - state.since) / 100) / 10,
  };
  state.busy = true;
  by("saved").textContent = word("saving");
  try {
    const answer = await insist("/api/decisions", body);
    dropDraft(item.id);
    items.delete(keyOf({ item: item.id, stage: item.stage }));
    if (by("reasons").open) by("reasons").close();
    by("saved").textContent = `${word(verdict)} – ${word("saved")}`;
    await goOn(answer.tasks, item);
  } catch (error) {
    if (by("reasons").open && error instanceof Refusal && !["not_logged_in", "session_replaced"].includes(error.name)) {
      by("saved").textContent = "";
      by("refusal").textContent = error.message;
    } else {
      failed(error);
    }
  } finally {
    state.busy = false;
  }
}

// The next item to do behind this one, else the first.
function goOn(tasks, item) {
  state.tasks = tasks;
  const at = tasks.findIndex((task) => task.item === item.id && task.stage === item.stage);
  const next = tasks.findIndex((task, number) => number > at && !task.verdict);
  return open(next < 0 ? firstOpen() : next);
}

async function undo() {
  if (state.busy) return;
  state.busy = true;
  try {
    const answer = await insist("/api/undo", { key: newKey() });
    state.tasks = answer.tasks;
    for (const key of items.keys()) if (key.endsWith(` ${answer.item}`)) items.delete(key);
    await open(Math.max(state.tasks.findIndex((task) => task.item === answer.item && !task.verdict), 0));
    by("saved").textContent = word("undone");
  } catch (error) {
    failed(error);
  } finally {
    state.busy = false;
  }
}

function overview() {
  by("task_list").replaceChildren(...state.tasks.map((task, at) => {
    const button = make("button", { className: task.verdict ?? "", textContent: at + 1, type: "button" });
    button.addEventListener("click", () => { by("all_tasks").close(); open(at); });
    return button;
  }));
  by("all_tasks").showModal();
}

// Keys

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.metaKey || event.altKey) return;
  const writing = ["INPUT", "TEXTAREA"].includes(event.target.tagName) && event.target.type !== "checkbox";
  if (by("reasons").open) return reasonKey(event, writing);
  if (document.querySelector("dialog[open]") || !by("login").hidden) return;
  if (state.mode === "edit") {
    if (event.key === "Enter" && event.ctrlKey) { event.preventDefault(); askReasons("correct"); }
    else if (event.key === "Escape") leaveEdit();
    if (writing || event.ctrlKey) return;
  }
  if (event.ctrlKey) return;
  const actions = { a: () => decide("accept"), c: () => startCorrection(), r: () => askReasons("remove"), u: undo,
    s: () => { by("second_look").checked = !by("second_look").checked; }, l: switchLanguage, "?": () => by("help_text").showModal(), o: overview,
    n: () => open(state.at + 1), b: () => open(state.at - 1) };
  if (!event.shiftKey) Object.assign(actions, { ArrowRight: actions.n, ArrowLeft: actions.b });
  const needsItem = ["a", "c", "r"].includes(event.key);
  if (state.item && ["1", "2", "3"].includes(event.key) && state.item.earlier[event.key - 1]) startCorrection(event.key - 1);
  else if (state.mode !== "edit" && actions[event.key] && (state.item || !needsItem)) actions[event.key]();
  else if (!state.item || !viewer.key(event)) return;
  event.preventDefault();
});

function reasonKey(event, writing) {
  if (event.key === "Enter" && (!writing || event.ctrlKey)) {
    event.preventDefault();
    if (!event.repeat) decide(state.verdict);
  }
  if (writing || event.ctrlKey) return;
  const at = KEYS.indexOf(event.key.toLowerCase());
  const box = by("reason_list").querySelectorAll("input")[at];
  if (box && at >= 0) {
    event.preventDefault();
    box.checked = !box.checked;
  }
}

by("login").addEventListener("submit", (event) => { event.preventDefault(); logIn(false); });
by("take_over").addEventListener("click", () => logIn(true));
by("language").addEventListener("click", switchLanguage);
by("help").addEventListener("click", () => by("help_text").showModal());
by("overview").addEventListener("click", overview);
by("logout").addEventListener("click", async () => { await call("/api/logout", {}).catch(() => {}); askToken(""); });
by("accept").addEventListener("click", () => state.mode === "read" && decide("accept"));
by("correct").addEventListener("click", () => (state.mode === "edit" ? askReasons("correct") : state.item && startCorrection()));
by("remove").addEventListener("click", () => state.item && askReasons("remove"));
by("undo").addEventListener("click", undo);
by("next").addEventListener("click", () => open(state.at + 1));
by("previous").addEventListener("click", () => open(state.at - 1));
by("save").addEventListener("click", () => decide(state.verdict));
by("cancel").addEventListener("click", () => by("reasons").close());
document.querySelectorAll("dialog").forEach((dialog) => dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); }));
setInterval(() => { if (by("login").hidden) call("/api/session").catch((error) => { if (error instanceof Refusal) failed(error); }); }, 30_000);
begin();
