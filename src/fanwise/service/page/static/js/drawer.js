// One item with every call and every attempt, beside the page.

import { ask, asText, duration, element, money, number } from "./shell.js";

const dialog = document.getElementById("drawer");
const title = document.getElementById("drawer-title");
const body = document.getElementById("drawer-body");

document.getElementById("drawer-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

function facts(pairs) {
  return element("dl", { class: "facts" }, ...pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined)
    .flatMap(([name, value]) => [element("dt", { text: name }), element("dd", { text: String(value) })]));
}

function attempts(call) {
  const rows = call.attempts.map((one) => element("tr", {},
    element("td", { class: "number", text: one.number }), element("td", { text: one.verdict }),
    element("td", { text: one.status ?? "" }), element("td", { class: "number", text: duration(one.queued_s) }),
    element("td", { text: one.cause === "nothing" ? "" : one.cause }),
    element("td", { class: "number", text: duration(one.ended_at - one.started_at) }), element("td", { text: one.reason })));
  return element("div", { class: "table-frame", tabindex: 0 }, element("table", {}, element("thead", {}, element("tr", {},
    ...["#", "ended as", "status", "waited", "for", "took", "why"].map((name) => element("th", { scope: "col", text: name })))), element("tbody", {}, ...rows)));
}

// Values as people read them: objects as facts, lists below each other, all else as text.
function readable(value, depth = 0) {
  if (value === null || typeof value !== "object" || depth > 4) return element(depth ? "span" : "pre", { text: asText(value), tabindex: depth ? null : 0 });
  const entries = Object.entries(value).slice(0, 200);
  if (!entries.length) return element("span", { text: Array.isArray(value) ? "none" : "nothing" });
  if (Array.isArray(value)) return element("ul", { class: "values" }, ...entries.map(([, one]) => element("li", {}, readable(one, depth + 1))));
  return element("dl", { class: "facts" }, ...entries.flatMap(([name, one]) => [element("dt", { text: name }), element("dd", {}, readable(one, depth + 1))]));
}

export async function openItem(run, id) {
  title.textContent = id;
  body.replaceChildren(element("p", { class: "empty", text: "…" }));
  if (!dialog.open) dialog.showModal();
  let item;
  try { item = await ask(`/api/v1/runs/${encodeURIComponent(run)}/items/${encodeURIComponent(id)}`); }
  catch (problem) { body.replaceChildren(element("p", { class: "problem", text: problem.message })); return; }
  const parts = [facts([["state", item.state + (item.cached ? " (cached)" : "")], ["place", item.position === undefined ? "" : `${number(item.position + 1)} in the input`],
    ["cost", item.cost_usd === undefined ? "" : money(item.cost_usd)], ["tokens", item.usage ? `${number(item.usage.input_tokens)} in, ${number(item.usage.output_tokens)} out` : ""],
    ["waited", item.queued_s === undefined ? "" : duration(item.queued_s)], ["served in", item.service_s === undefined ? "" : duration(item.service_s)]])];
  if (item.error) parts.push(element("p", { class: "problem", text: [item.error.message, item.error.hint].filter(Boolean).join(": ") }));
  if (item.value !== undefined && item.value !== null) parts.push(element("h3", { text: "Output" }), readable(item.value));
  if (item.input !== undefined && item.input !== null) parts.push(element("h3", { text: "Input" }), element("pre", { text: asText(item.input), tabindex: 0 }));
  for (const call of item.calls) {
    parts.push(element("h3", { text: `${call.model || "side effect"}${call.label ? ` · ${call.label}` : ""}: ${call.state}${call.cached ? " (cached)" : ""}${call.resends ? `, sent again after ${call.resends} crash${call.resends > 1 ? "es" : ""}` : ""}` }));
    parts.push(attempts(call));
  }
  body.replaceChildren(...parts);
}
