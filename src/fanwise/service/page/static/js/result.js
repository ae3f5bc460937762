// What the run's pipeline made, as the service renders it; drawn anew when a part of it lands.

const frame = document.getElementById("result");
let chosen = "";
let shown = "";
let drawn = "";
let waiting = 0;

function choose(tabs, tab, { focus = false } = {}) {
  for (const one of tabs) {
    const on = one === tab;
    one.setAttribute("aria-selected", String(on));
    one.tabIndex = on ? 0 : -1;
    document.getElementById(one.getAttribute("aria-controls")).hidden = !on;
  }
  chosen = tab.dataset.name;
  if (focus) tab.focus();
}

function wire(focused) {
  const tabs = [...frame.querySelectorAll("[role=tab]")];
  for (const tab of tabs) {
    tab.addEventListener("click", () => choose(tabs, tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) choose(tabs, tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length], { focus: true });
    });
  }
  const before = tabs.find((tab) => tab.dataset.name === chosen);
  if (before) choose(tabs, before, { focus: focused });
}

export async function showResult(run) {
  if (!frame) return;
  const answer = await fetch(`/runs/${encodeURIComponent(run)}/result`);
  if (!answer.ok) return;
  const text = await answer.text();
  if (text === shown) return;
  shown = text;
  const open = new Set([...frame.querySelectorAll("details[open] > summary")].map((one) => one.textContent));
  const focused = frame.querySelector("[role=tab]:focus") !== null;
  frame.innerHTML = text; // every text in it was escaped where it was rendered
  for (const summary of frame.querySelectorAll("details > summary")) if (open.has(summary.textContent)) summary.parentElement.open = true;
  wire(focused);
}

export async function showGraph(run) {
  const place = document.getElementById("graph");
  const answer = await fetch(`/runs/${encodeURIComponent(run)}/graph`);
  if (!place || !answer.ok) return;
  const text = await answer.text();
  if (text === drawn) return;
  drawn = text;
  place.innerHTML = text; // escaped where it was rendered
}

// Several parts of one moment make one request.
export function resultChanged(run) {
  if (!frame || waiting) return;
  waiting = setTimeout(() => { waiting = 0; showResult(run); }, 400);
}
