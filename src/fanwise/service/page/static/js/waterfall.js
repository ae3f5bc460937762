// Calls along the run's time, on a canvas: lanes per model, one row a call, one mark an attempt.

import { colour, duration, element, number } from "./shell.js";

const KINDS = { "limit wait": "wait", backoff: "warn", served: "ok", refused: "warn", failed: "bad", cancelled: "soft" };
const WORDS = { "limit wait": "waited for a limit", backoff: "waited to send again", served: "served", refused: "refused", failed: "failed", cancelled: "cancelled" };
const ROW = 5, GAP = 1, LANE = 26, LEFT = 8;

export class Waterfall {
  constructor(frame, { legend, tableFrame, onOpen }) {
    this.frame = frame;
    this.canvas = frame.querySelector("canvas");
    this.tableFrame = tableFrame;
    this.onOpen = onOpen;
    this.found = null;
    legend.append(...Object.entries(WORDS).map(([kind, words]) => {
      const mark = element("i");
      mark.style.background = `var(--${KINDS[kind]})`;
      if (kind === "backoff") mark.style.opacity = ".45";
      return element("span", {}, mark, words);
    }));
    this.canvas.addEventListener("click", (event) => {
      const bar = this.#at(event);
      if (bar) this.onOpen(bar.item_id);
    });
    this.canvas.addEventListener("mousemove", (event) => {
      const bar = this.#at(event);
      this.canvas.title = bar ? `${bar.item_id} · ${bar.model}\n${bar.segments.map((one) => `${WORDS[one.kind]} ${duration(one.end_s - one.begin_s)}${one.note ? ` (${one.note})` : ""}`).join("\n")}` : "";
      this.canvas.style.cursor = bar ? "pointer" : "default";
    });
    new ResizeObserver(() => this.draw()).observe(frame);
    document.addEventListener("theme", () => this.draw());
  }

  update(found) {
    this.found = found;
    this.draw();
    if (this.tableFrame.closest("details").open) this.showTable();
  }

  #layout() {
    const lanes = new Map();
    for (const bar of this.found.bars) {
      const name = bar.model || "side effects";
      if (!lanes.has(name)) lanes.set(name, []);
      lanes.get(name).push(bar);
    }
    const placed = [];
    let top = 0;
    for (const [name, bars] of lanes) {
      placed.push({ lane: name, top, count: bars.length });
      top += LANE;
      for (const bar of bars) { placed.push({ bar, top }); top += ROW + GAP; }
    }
    return { placed, height: top + 8 };
  }

  draw() {
    if (!this.found || !this.frame.clientWidth) return;
    const { placed, height } = this.#layout();
    this.placed = placed;
    const width = this.frame.clientWidth - 4;
    const ratio = Math.min(devicePixelRatio || 1, height > 8000 ? 1 : 2);
    Object.assign(this.canvas, { width: width * ratio, height: height * ratio });
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    this.scale = (width - 2 * LEFT) / Math.max(1e-6, this.found.wall_s);
    const paint = Object.fromEntries([...new Set(Object.values(KINDS)), "line", "ink", "soft"].map((name) => [name, colour(name)]));
    pen.font = "12px system-ui";
    const step = this.#step();
    for (let at = 0; at <= this.found.wall_s; at += step) {
      const x = LEFT + at * this.scale;
      pen.fillStyle = paint.line;
      pen.fillRect(x, 0, 1, height);
      pen.fillStyle = paint.soft;
      if (at > 0) pen.fillText(duration(at), x + 4, 12);
    }
    for (const one of placed) {
      if (one.lane !== undefined) {
        pen.fillStyle = paint.ink;
        pen.fillText(`${one.lane} · ${number(one.count)}${this.found.calls > this.found.bars.length ? " of a sample" : ""}`, LEFT + 60, one.top + 18);
        continue;
      }
      for (const part of one.bar.segments) {
        const x = LEFT + part.begin_s * this.scale;
        pen.globalAlpha = part.kind === "backoff" || part.kind === "limit wait" ? 0.45 : 1;
        pen.fillStyle = paint[KINDS[part.kind]] ?? paint.soft;
        pen.fillRect(x, one.top, Math.max(1.2, (part.end_s - part.begin_s) * this.scale), ROW);
      }
      pen.globalAlpha = 1;
    }
  }

  #step() {
    const rough = this.found.wall_s / 8;
    const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1e-3)));
    return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough) ?? power;
  }

  #at(event) {
    const y = event.offsetY;
    return this.placed?.find((one) => one.bar && y >= one.top && y < one.top + ROW + GAP)?.bar ?? null;
  }

  showTable() {
    if (!this.found) return;
    const rows = this.found.bars.slice(0, 300).map((bar) => element("tr", {},
      element("td", { text: bar.item_id }), element("td", { text: bar.model }),
      element("td", { class: "number", text: duration(bar.begin_s) }), element("td", { class: "number", text: duration(bar.end_s - bar.begin_s) }),
      element("td", { text: bar.segments.map((one) => `${WORDS[one.kind]} ${duration(one.end_s - one.begin_s)}`).join(", ") })));
    this.tableFrame.replaceChildren(element("table", {}, element("thead", {}, element("tr", {},
      ...["item", "model", "begun at", "took", "what happened"].map((name) => element("th", { scope: "col", text: name })))), element("tbody", {}, ...rows)));
  }
}
