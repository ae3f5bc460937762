// One run, live: figures, what limits it, charts, results, errors, and the means to steer it.

import { Charts } from "./charts.js";
import { openItem } from "./drawer.js";
import { Results } from "./results.js";
import { resultChanged, showGraph, showResult } from "./result.js";
import { ago, ask, asText, duration, element, money, number, say, short } from "./shell.js";
import { RunStream } from "./stream.js";
import { Waterfall } from "./waterfall.js";

const first = JSON.parse(document.getElementById("run").dataset.run);
const id = first.id;
const base = `/api/v1/runs/${encodeURIComponent(id)}`;
const at = (name) => document.getElementById(name);
const LIVE = new Set(["running", "waiting", "paused", "draining", "cancelling"]);
const AGAIN = new Set(["stopped", "interrupted", "failed"]);
let run = first;

// figures

function write(name, text) {
  const place = at(name);
  if (place.textContent !== text) place.textContent = text;
}

function showRun(found) {
  run = found;
  const pill = at("status");
  pill.textContent = run.status;
  pill.dataset.status = run.status;
  document.title = `${run.status} · ${run.pipeline || run.name} · Fanwise`;
  const live = LIVE.has(run.status);
  const shown = { pause: run.status === "running", resume: run.status === "paused" || (run.here && AGAIN.has(run.status)),
    "retry-failed": !live && run.here && run.items.failed > 0, drain: run.status === "running" || run.status === "paused", cancel: live || run.status === "stopped" };
  for (const button of document.querySelectorAll("[data-verb]")) button.hidden = !shown[button.dataset.verb];
  at("limits").closest("details").hidden = !live && !AGAIN.has(run.status);
  if (!run.snapshot) showCounts(run.items, run);
  if (run.error) {
    let problem = at("run-problem");
    problem ??= document.querySelector(".hero").appendChild(element("p", { class: "problem", id: "run-problem" }));
    problem.textContent = [run.error.message, run.error.hint].filter(Boolean).join(": ");
  } else at("run-problem")?.remove();
  at("input").textContent = JSON.stringify({ input: run.input, options: run.options, result: run.result }, null, 2);
}

function bar(succeeded, failed, flying, total) {
  const frame = at("bar");
  const [ok, bad, now] = frame.children;
  const part = (count) => `${total ? Math.min(100, (100 * count) / total) : 0}%`;
  ok.style.width = part(succeeded);
  bad.style.width = part(failed);
  now.style.width = part(Math.min(flying, Math.max(0, total - succeeded - failed)));
  if (total) frame.setAttribute("aria-valuenow", String(Math.round((100 * (succeeded + failed)) / total)));
  else frame.removeAttribute("aria-valuenow");
}

function showCounts(items, all) {
  const total = items.total ?? (LIVE.has(run.status) ? null : items.done);
  write("done", number(items.done));
  write("total", total === null ? "?" : number(total));
  write("failed", number(items.failed));
  write("cost", money(all.cost_usd));
  write("refusals", `${short(all.rate_limited)} · ${short(Math.max(0, all.attempts - all.calls))}`);
  bar(items.succeeded, items.failed, 0, total ?? 0);
  at("count-errors").textContent = items.failed ? number(items.failed) : "";
  results.grow(counted(items.succeeded, items.failed, items.done));
}

let chosenState = "";

function counted(succeeded, failed, done) {
  return chosenState === "failed" ? failed : chosenState === "succeeded" ? succeeded : done;
}

let spoken = 0;

function showSnapshot(snapshot) {
  if (!snapshot) return;
  write("done", number(snapshot.items_done));
  const total = snapshot.items_total ?? (LIVE.has(run.status) ? null : snapshot.items_done);
  write("total", total === null ? "?" : number(total));
  // Of a run that has ended, the means over all of it.
  const over = LIVE.has(run.status) || !snapshot.elapsed_s ? null : snapshot.elapsed_s;
  write("items-per-s", short(over ? snapshot.items_done / over : snapshot.items_per_s));
  write("tokens-per-s", short(over ? (snapshot.input_tokens + snapshot.output_tokens) / over : snapshot.tokens_per_s));
  write("in-flight", snapshot.concurrency_limit === null ? number(snapshot.in_flight) : `${number(snapshot.in_flight)} / ${number(Math.floor(snapshot.concurrency_limit))}`);
  at("learned").hidden = !snapshot.concurrency_learned;
  write("waiting", number(snapshot.waiting));
  write("failed", number(snapshot.items_failed));
  write("refusals", `${short(snapshot.refusals)} · ${short(snapshot.retries)}`);
  const budget = snapshot.budgets.find((one) => one.kind === "usd");
  write("cost", snapshot.cost_usd === null ? (snapshot.priced_usd ? `≥ ${money(snapshot.priced_usd)}` : "?") : money(snapshot.cost_usd) + (budget?.limit ? ` of ${money(Number(budget.limit))}` : ""));
  write("eta", eta(snapshot));
  at("limits-now").dataset.cause = LIVE.has(run.status) ? snapshot.limited_by : run.status;
  write("what-limits", LIVE.has(run.status) ? sentence(snapshot) : `Took ${duration(snapshot.elapsed_s)}.`);
  bar(snapshot.items_succeeded, snapshot.items_failed, snapshot.in_flight, total ?? 0);
  at("count-errors").textContent = snapshot.items_failed ? number(snapshot.items_failed) : "";
  results.grow(counted(snapshot.items_succeeded, snapshot.items_failed, snapshot.items_done));
  if (Date.now() - spoken > 15000 && total) {
    spoken = Date.now();
    at("bar").setAttribute("aria-valuetext", `${number(snapshot.items_done)} of ${number(total)} items, ${number(snapshot.items_failed)} failed. ${sentence(snapshot)}`);
  }
}

function eta(snapshot) {
  if (!LIVE.has(run.status) || run.status === "paused") return "";
  const { eta_low_s: low, eta_high_s: high } = snapshot;
  if (low === null) return "";
  if (high === null) return `at least ${duration(low)} left`;
  return Math.round(low) === Math.round(high) ? `about ${duration(low)} left` : `${duration(low)} to ${duration(high)} left`;
}

function sentence(snapshot) {
  const words = snapshot.what_limits;
  return words === "Nothing" ? "Nothing holds it back." : words.endsWith(".") ? words : `${words}.`;
}

// parts of the page

const results = new Results(at("results"), { run: id, onOpen: (item) => openItem(id, item) });
const charts = new Charts(at("charts"), at("charts-table"));
const waterfall = new Waterfall(at("waterfall"), { legend: at("waterfall-legend"), tableFrame: at("waterfall-table"), onOpen: (item) => openItem(id, item) });

for (const chip of document.querySelectorAll("[data-state]")) {
  chip.addEventListener("click", () => {
    for (const other of document.querySelectorAll("[data-state]")) other.setAttribute("aria-pressed", String(other === chip));
    chosenState = chip.dataset.state;
    results.reset(chosenState);
    refresh();
  });
}

const tabs = [...document.querySelectorAll("[role=tab]")];
const needed = new Map([["result", () => showResult(id)], ["graph", () => showGraph(id)], ["charts", refreshSeries], ["errors", refreshErrors], ["waterfall", refreshWaterfall], ["report", refreshReport]]);
let open = "charts";
const rendered = at("result") !== null;

function choose(tab) {
  for (const one of tabs) {
    const on = one === tab;
    one.setAttribute("aria-selected", String(on));
    one.tabIndex = on ? 0 : -1;
    at(one.getAttribute("aria-controls")).hidden = !on;
  }
  open = tab.id.replace("tab-", "");
  history.replaceState(null, "", `#${open}`);
  needed.get(open)?.();
  if (open === "results") results.draw();
}

for (const tab of tabs) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    next.focus();
    choose(next);
  });
}
for (const details of document.querySelectorAll("details.behind")) {
  details.addEventListener("toggle", () => { if (details.open) (details.closest("#panel-charts") ? charts : waterfall).showTable(); });
}

async function refreshSeries() {
  const found = await quietly(`${base}/series`);
  if (!found) return;
  charts.update(found.series);
  if (!found.caught_up) setTimeout(refreshSeries, 400);
}

async function refreshWaterfall() {
  const found = await quietly(`${base}/waterfall`);
  if (found) waterfall.update(found);
}

async function refreshErrors() {
  const report = await quietly(`${base}/report`);
  if (!report) return;
  if (!report.errors.length) { at("errors").replaceChildren(element("p", { class: "empty", text: "Nothing has failed." })); return; }
  at("errors").replaceChildren(...report.errors.map((group) => element("div", { class: "card group" },
    element("div", {}, element("p", {}, element("strong", { text: `${number(group.count)} × ` }), group.message),
      group.hint ? element("p", { class: "items", text: group.hint }) : null,
      element("p", { class: "items", text: `${group.item_ids.slice(0, 8).join(", ")}${group.count > 8 ? " …" : ""}` })),
    run.here && !LIVE.has(run.status) ? element("button", { type: "button", text: "Retry these", onclick: () => steer("retry-failed") }) : null)));
}

const CAUSE_COLOURS = ["accent", "warn", "now", "bad", "wait", "ok"];

async function refreshReport() {
  const report = await quietly(`${base}/report`);
  if (!report) return;
  const shares = element("div", { class: "shares" });
  report.limited_by.forEach((one, place) => {
    const part = element("span", { title: `${one.cause}: ${Math.round(100 * one.share)} %` });
    part.style.width = `${100 * one.share}%`;
    part.style.background = one.cause === "nothing" ? "var(--ok)" : `var(--${CAUSE_COLOURS[place % CAUSE_COLOURS.length]})`;
    shares.append(part);
  });
  const percent = (value) => (value === null || value === undefined ? "?" : `${Math.round(100 * value)} %`);
  const rows = [["took", duration(report.wall_s)], ["one after another", duration(report.sequential_s)], ["speedup", report.speedup === null ? "?" : `${report.speedup.toFixed(1)} ×`],
    ["saved", duration(Math.max(0, report.savings_s))], ["efficiency", percent(report.efficiency)], ["utilisation", percent(report.utilisation)], ["critical path", duration(report.critical_path_s)],
    ["calls", `${number(report.calls)}, ${number(report.attempts)} sends`], ["refused", number(report.rate_limited)], ["tokens", `${number(report.tokens.input_tokens)} in, ${number(report.tokens.output_tokens)} out`], ["cost", money(report.cost_usd)]];
  const models = report.models.map((one) => element("tr", {}, element("td", { text: one.model }), ...[number(one.calls), number(one.failed), number(one.refusals), duration(one.p50_s), duration(one.p95_s), money(one.cost_usd)].map((text) => element("td", { class: "number", text }))));
  at("report").replaceChildren(element("div", { class: "grid-2" },
    element("div", { class: "card" }, element("h2", { text: "What it bought" }), element("dl", { class: "facts" }, ...rows.flatMap(([name, value]) => [element("dt", { text: name }), element("dd", { text: value })]))),
    element("div", { class: "card" }, element("h2", { text: "What held it back" }), shares, element("dl", { class: "facts" }, ...report.limited_by.flatMap((one) => [element("dt", { text: one.cause }), element("dd", { text: percent(one.share) })])))),
    element("h2", { text: "Models" }), element("div", { class: "table-frame", tabindex: 0 }, element("table", {}, element("thead", {}, element("tr", {}, ...["model", "calls", "failed", "refused", "half within", "95 % within", "cost"].map((name, place) => element("th", { scope: "col", class: place ? "number" : "", text: name })))), element("tbody", {}, ...models))));
}

async function quietly(path) {
  try { return await ask(path); } catch { return null; }
}

// steering

async function steer(verb, path = `${base}/${verb}`, how = { method: "POST" }) {
  try {
    await ask(path, how);
    say({ pause: "Paused: nothing more is sent.", resume: "Going on.", drain: "Stopping: calls in flight may end.", cancel: "Cancelled: what was paid for is kept.", "retry-failed": "What failed is sent again.", limits: "New limits hold." }[verb]);
  } catch (problem) { say(problem.message, true); }
  await refresh();
  watch();
}

for (const button of document.querySelectorAll("[data-verb]")) {
  button.addEventListener("click", () => {
    if (button.dataset.verb === "cancel" && !confirm("Cancel this run for good? What was paid for is kept.")) return;
    steer(button.dataset.verb);
  });
}
at("limits").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = {};
  for (const [name, value] of new FormData(event.target)) {
    if (!value.trim()) continue;
    body[name] = name === "max_concurrency" && !/^\d+$/.test(value.trim()) ? value.trim() : Number(value);
  }
  if (!Object.keys(body).length) return;
  event.target.closest("details").open = false;
  await steer("limits", `${base}/limits`, { method: "PATCH", body });
});

// live

const parts = new Map();

function showPart(part) {
  if (part.kind === "progress" && part.message) write("eta", part.message);
  if (part.kind !== "result" && part.kind !== "error") return;
  if (rendered) { resultChanged(id); return; }
  const card = element("details", { class: "card" }, element("summary", { text: `${part.subject || part.message}${part.kind === "error" ? " · failed" : ""}` }),
    element("pre", { text: part.kind === "error" ? part.message : asText(part.data) }));
  parts.get(part.subject)?.remove();
  parts.set(part.subject, card);
  at("parts").append(card);
  while (at("parts").children.length > 200) at("parts").firstElementChild.remove();
}

const stream = new RunStream(id, { onSnapshot: showSnapshot, onPart: showPart, onEnd: async () => { await refresh(); needed.get(open)?.(); },
  onState: (state) => { if (state === "away") write("what-limits", "The service does not answer; trying again …"); } });
let watched = false;

function watch() {
  if (watched && stream.source) return;
  watched = true;
  stream.open(run.items.done);
}

async function refresh() {
  const found = await quietly(base);
  if (found) showRun(found);
  if (found?.snapshot) showSnapshot(found.snapshot);
}

showRun(first);
if (first.snapshot) showSnapshot(first.snapshot);
else write("what-limits", `Begun ${ago(first.created_at)}.`);
choose(tabs.find((tab) => tab.id === `tab-${location.hash.slice(1)}`) ?? tabs[0]);
watch();
setInterval(() => {
  if (document.hidden || !LIVE.has(run.status)) return;
  refresh();
  if (open === "charts") refreshSeries();
  if (open === "errors") refreshErrors();
  if (open === "graph") showGraph(id);
  if (open === "waterfall" && run.items.done < 20000) refreshWaterfall();
}, 1500);
