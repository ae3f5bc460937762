// A new run: fields to JSON, one reason beside each wrong one, the estimate, the start.

import { ask, duration, element, money, number, say } from "./shell.js";

const form = document.getElementById("new");
const pipeline = form.dataset.pipeline;
const wrong = document.getElementById("wrong");
const estimate = document.getElementById("estimate");
const rows = [...form.querySelectorAll(".field")];
const sent = new WeakMap(); // file -> its upload, so that it is sent once
const pasted = new Map(); // text -> its upload
const LIMITS = { concurrency: "calls at once", rpm: "requests a minute", tpm: "tokens a minute", input_tpm: "input tokens a minute", output_tpm: "output tokens a minute",
  "provider's requests": "the provider's requests a minute", "provider's tokens": "the provider's tokens a minute", "provider's input_tokens": "the provider's input tokens a minute",
  "provider's output_tokens": "the provider's output tokens a minute", "provider's slots": "how many calls the provider works on at once", "this machine": "this machine's processor" };

class Wrong extends Error {
  constructor(reason) { super(reason); this.reason = reason; }
}

// several of one kind

function grow(list, focus = true) {
  const made = list.querySelector(".one").cloneNode(true);
  const control = made.querySelector("input, textarea");
  control.value = "";
  made.querySelector(".drop")?.remove();
  made.append(element("button", { type: "button", class: "quiet drop", "aria-label": `Remove this ${list.dataset.label.toLowerCase()}`, text: "✕",
    onclick: () => { const before = made.previousElementSibling; made.remove(); before.querySelector("input, textarea").focus(); changed(); } }));
  list.append(made);
  if (focus) control.focus();
}

for (const button of form.querySelectorAll(".more-of")) button.addEventListener("click", () => grow(button.previousElementSibling));

// values

async function upload(file) {
  if (!sent.has(file)) {
    const body = new FormData();
    body.append("file", file, file.name);
    sent.set(file, ask("/api/v1/uploads", { method: "POST", form: body }).then((found) => ({ upload: found.id })));
    sent.get(file).catch(() => sent.delete(file));
  }
  return sent.get(file);
}

function named(text) {
  if (text.startsWith("WEBVTT")) return "pasted.vtt";
  return /^[[{]/.test(text) ? "pasted.jsonl" : form.dataset.pipeline === "notes" ? "pasted.txt" : "pasted.csv";
}

async function fileOf(row) {
  const [file] = row.querySelector("input").files;
  if (file) return upload(file);
  const text = row.querySelector("textarea").value.trim();
  if (!text) return undefined;
  if (/^https?:\/\/\S+$/.test(text)) return text;
  if (!pasted.has(text)) pasted.set(text, new File([`${text}\n`], named(text)));
  return upload(pasted.get(text));
}

async function base64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
}

const READ = {
  bool: (row) => row.querySelector("input").checked,
  some: (row) => [...row.querySelectorAll("input:checked")].map((one) => one.value),
  models: (row) => several(row), texts: (row) => several(row), file: fileOf,
  number: (row) => {
    const text = row.querySelector("input").value.trim();
    if (text === "") return undefined;
    if (!Number.isFinite(Number(text))) throw new Wrong("is no number");
    return Number(text);
  },
  json: (row) => {
    const text = row.querySelector("textarea").value.trim();
    if (text === "") return undefined;
    try { return JSON.parse(text); } catch (error) { throw new Wrong(`is no JSON: ${error.message}`); }
  },
  documents: async (row) => {
    const files = [...row.querySelector("input").files];
    return files.length ? Promise.all(files.map(async (file) => ({ id: file.name, name: file.name, content_base64: await base64(file) }))) : undefined;
  },
};

function several(row) {
  return [...row.querySelectorAll(".one input, .one textarea")].map((one) => one.value.trim()).filter(Boolean);
}

function plain(row) {
  const text = row.querySelector("input, textarea, select").value.trim();
  if (text === "") return undefined;
  return row.dataset.field === "options.max_concurrency" && /^\d+$/.test(text) ? Number(text) : text;
}

// What the form says as the API takes it; fields that cannot be said are in `faults`.
async function values() {
  const found = { pipeline, input: {}, options: {} };
  const faults = {};
  for (const row of rows) {
    const [first, ...rest] = row.dataset.field.split(".");
    let value;
    try { value = await (READ[row.dataset.kind] ?? plain)(row); }
    catch (problem) { faults[row.dataset.field] = problem.reason ?? problem.message; continue; }
    if (value === undefined) continue;
    const whole = first === "options" ? found.options : first === "job" ? null : found.input;
    if (whole === null) found.input = value;
    else if (first === "options") whole[rest[0]] = value;
    else if (rest.length) (whole[first] ??= {})[rest[0]] = value;
    else whole[first] = value;
  }
  return { found, faults };
}

// what is wrong

function clear() {
  wrong.hidden = true;
  for (const row of rows) mark(row, "");
}

function mark(row, reason) {
  const told = row.querySelector(".wrong");
  told.hidden = !reason;
  told.textContent = reason;
  for (const control of row.querySelectorAll("input, textarea, select")) control.toggleAttribute("aria-invalid", Boolean(reason));
}

function rowOf(name) {
  return rows.find((row) => row.dataset.field === name) ?? rows.find((row) => name.startsWith(`${row.dataset.field}.`))
    ?? rows.find((row) => row.dataset.field === { resume: "resumes", answers: "source" }[name]);
}

function show(fields, otherwise) {
  clear();
  const rest = [];
  let first = null;
  for (const [name, reason] of Object.entries(fields)) {
    const row = rowOf(name);
    if (!row) { rest.push(`${name}: ${reason}`); continue; }
    mark(row, reason);
    first ??= row;
  }
  if (!first || rest.length) {
    wrong.textContent = rest.join("; ") || otherwise;
    wrong.hidden = false;
  }
  if (!first) { wrong.focus(); return; }
  for (let outer = first.closest("details"); outer; outer = outer.parentElement.closest("details")) outer.open = true;
  first.querySelector("input, textarea, select").focus();
}

// the estimate

let asked = 0;

const spread = ({ low, likely, high }) => (low === high ? number(likely) : `${number(likely)} (${number(low)} to ${number(high)})`);

function cost(plan) {
  if (!plan.cost_usd) return plan.unpriced.length ? `? – no price is known of ${plan.unpriced.join(", ")}` : "?";
  const [low, likely, high] = plan.cost_usd;
  return low === high ? money(likely) : `${money(likely)} (${money(low)} to ${money(high)})`;
}

function binds(name) {
  return name === null ? "nothing that could be raised: answers take their time" : LIMITS[name] ?? name;
}

function showPlan(plan) {
  const at = plan.at_least ? "at least " : "";
  const look = plan.outlook;
  const facts = [["items", number(plan.items)], ["calls", at + number(plan.calls)], ["tokens in", spread(plan.input_tokens)], ["tokens out", spread(plan.output_tokens)],
    ["cost", cost(plan)], ...Object.entries(plan.of_budget).map(([kind, share]) => ["of the budget", `${Math.round(100 * share)} % (${kind})${share > 1 ? `: it lasts for about ${Math.round(100 / share)} % of the work` : ""}`]),
    ...(plan.cost_usd && plan.unpriced.length === 0 && plan.price_date ? [["prices of", plan.price_date]] : []),
    ...(look ? [["limited by", binds(look.binds)], ...look.gains.slice(0, 2).map((gain) => ["if raised", `${binds(gain.limit)}${gain.raised === null || gain.value === null ? " twice as quick" : ` ${number(gain.raised)} instead of ${number(gain.value)}`}: ${duration(gain.time_s)}`])] : []),
    ["known from", Object.values(plan.known).join("; ")]];
  estimate.replaceChildren(
    element("p", { class: "big", text: look ? `${at}${duration(look.likely_s)}` : "no call" }),
    look ? element("p", { class: "help", text: `between ${duration(look.low_s)} and ${duration(look.high_s)}` }) : "",
    plan.unpriced.length && form.querySelector("#field-options-budget_usd").value.trim() ? element("p", { class: "problem", text: `A budget in dollars cannot hold ${plan.unpriced.join(", ")}: its price is not known. Bound tokens or calls instead.` }) : "",
    plan.failures ? element("p", { class: "problem", text: `${number(plan.failures)} items would fail before their first call: ${plan.first_failure}` }) : "",
    element("dl", { class: "facts" }, ...facts.filter(([, value]) => value).flatMap(([name, value]) => [element("dt", { text: name }), element("dd", { text: value })])));
}

async function plan({ quiet }) {
  const turn = ++asked;
  const { found, faults } = await values();
  if (Object.keys(faults).length) { if (!quiet) show(faults, ""); return; }
  if (!quiet) estimate.replaceChildren(element("p", { class: "help", text: "Reckoning …" }));
  try {
    const plan = await ask("/api/v1/plan", { method: "POST", body: found });
    if (turn !== asked) return;
    clear();
    showPlan(plan);
  } catch (problem) {
    if (turn !== asked) return;
    if (quiet) return;
    estimate.replaceChildren(element("p", { class: "help", text: "No estimate yet." }));
    show(problem.fields ?? {}, problem.message);
  }
}

// Anew after each change, once everything needed is there.
let timer = 0;

function complete() {
  return rows.every((row) => !("required" in row.dataset) || (row.dataset.kind === "file"
    ? row.querySelector("input").files.length || row.querySelector("textarea").value.trim()
    : row.dataset.kind === "documents" ? row.querySelector("input").files.length : row.querySelector("input, textarea").value.trim()));
}

function changed() {
  clearTimeout(timer);
  if (form.dataset.plans && complete()) timer = setTimeout(() => plan({ quiet: true }), 900);
}

form.addEventListener("change", changed);
form.addEventListener("input", (event) => { const row = event.target.closest(".field"); if (row) mark(row, ""); changed(); });
document.getElementById("plan")?.addEventListener("click", () => plan({ quiet: false }));

// the start

let key = "";
let keyOf = "";

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearTimeout(timer);
  asked += 1;
  const button = document.getElementById("start");
  button.disabled = true;
  try {
    const { found, faults } = await values();
    if (Object.keys(faults).length) { show(faults, ""); return; }
    const body = { ...found, priority: "interactive" };
    const text = JSON.stringify(body);
    if (text !== keyOf) [key, keyOf] = [[...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, "0")).join(""), text];
    const run = await ask("/api/v1/runs", { method: "POST", body, headers: { "Idempotency-Key": key } });
    location.assign(`/runs/${encodeURIComponent(run.id)}`);
  } catch (problem) {
    if (problem.fields) show(problem.fields, problem.message);
    else say(problem.message, true);
  } finally { button.disabled = false; }
});
