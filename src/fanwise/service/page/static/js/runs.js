// The list of runs: shown at once from what came with the page, then kept up to date.

import { ago, ask, element, money, number } from "./shell.js";

const body = document.getElementById("runs");
const none = document.getElementById("none");
const more = document.getElementById("more");
const filters = document.getElementById("filters");
const PERIOD_MS = 2000;
const PAGE = 50;
let shown = PAGE;

function progress(run) {
  const { done, succeeded, failed, total } = run.items;
  const all = total ?? (run.status === "finished" ? done : null);
  const share = all ? Math.min(1, done / all) : null;
  const bar = element("div", { class: "bar", role: "progressbar", "aria-label": `Items of ${run.id}`,
    "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": share === null ? undefined : Math.round(100 * share) });
  const ok = element("span", { class: "part ok" });
  const bad = element("span", { class: "part bad" });
  ok.style.width = `${all ? (100 * succeeded) / all : 0}%`;
  bad.style.width = `${all ? (100 * failed) / all : 0}%`;
  bar.append(ok, bad);
  const words = all ? `${number(done)} / ${number(all)}` : number(done);
  return element("div", { class: "mini" }, bar, element("span", { text: words }));
}

function row(run) {
  const link = element("a", { href: `/runs/${encodeURIComponent(run.id)}`, text: run.pipeline || run.name });
  return element("tr", { data: { id: run.id } },
    element("td", {}, link, element("small", { text: run.id })),
    element("td", {}, element("span", { class: "pill", data: { status: run.status }, text: run.status })),
    element("td", { class: "wide" }, progress(run)),
    element("td", { class: "number", text: run.items.failed ? number(run.items.failed) : "–" }),
    element("td", { class: "number", text: number(run.calls) }),
    element("td", { class: "number", text: money(run.cost_usd) }),
    element("td", { class: "number", text: ago(run.created_at) }));
}

const seen = new Map();

function show(page) {
  const rows = page.data.map((run) => {
    const key = JSON.stringify([run.status, run.items, run.calls, run.cost_usd, Math.floor(Date.now() / 10000)]);
    const known = seen.get(run.id);
    if (known?.key === key) return known.row;
    const focused = known?.row.contains(document.activeElement);
    const made = { key, row: row(run) };
    seen.set(run.id, made);
    if (focused) queueMicrotask(() => made.row.querySelector("a").focus());
    return made.row;
  });
  body.replaceChildren(...rows);
  none.hidden = rows.length > 0;
  more.hidden = page.next === null;
}

async function refresh() {
  const chosen = new URLSearchParams({ limit: String(Math.min(500, shown)) });
  for (const [name, value] of new FormData(filters)) if (value) chosen.set(name, value);
  try { show(await ask(`/api/v1/runs?${chosen}`)); }
  catch { /* the next look may succeed; what is shown stays */ }
}

filters.addEventListener("change", refresh);
filters.addEventListener("submit", (event) => event.preventDefault());
more.addEventListener("click", () => { shown += PAGE; refresh(); });
show(JSON.parse(body.dataset.first));
setInterval(() => { if (!document.hidden) refresh(); }, PERIOD_MS);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
