// Five charts on one cursor, fed from the run's series.

import { colour, duration, element, money, short } from "./shell.js";

const HEIGHT = 170;
const sync = window.uPlot.sync("run");

const CHARTS = [
  { id: "throughput", title: "Throughput", lines: [
    { key: "items_per_s", name: "items / s", colour: "ok", fill: true, show: short },
    { key: "tokens_per_s", name: "tokens / s", colour: "now", scale: "tokens", show: short } ] },
  { id: "flight", title: "In flight, under the limit", lines: [
    { key: "in_flight", name: "in flight", colour: "accent", fill: true, show: short },
    { key: "limit", name: "limit", colour: "warn", dash: [6, 4], show: short } ] },
  { id: "refusals", title: "Refusals and retries", lines: [
    { key: "refusals", name: "refused", colour: "warn", bars: true, show: short },
    { key: "retries", name: "retried", colour: "now", show: short },
    { key: "failed", name: "failed items", colour: "bad", show: short } ] },
  { id: "latency", title: "Time to an answer", lines: [
    { key: "p50_s", name: "half within", colour: "ok", show: duration },
    { key: "p95_s", name: "95 % within", colour: "warn", show: duration } ] },
  { id: "spend", title: "Spent so far", lines: [
    { key: "cost_usd", name: "dollars", colour: "accent", fill: true, show: money } ] },
];

function clock(seconds) {
  const rest = Math.round(seconds);
  const hours = Math.floor(rest / 3600);
  const text = `${String(Math.floor((rest % 3600) / 60)).padStart(hours ? 2 : 1, "0")}:${String(rest % 60).padStart(2, "0")}`;
  return hours ? `${hours}:${text}` : text;
}

function faint(value) {
  return `color-mix(in srgb, ${value} 16%, transparent)`;
}

export class Charts {
  constructor(frame, tableFrame) {
    this.frame = frame;
    this.tableFrame = tableFrame;
    this.charts = [];
    this.data = null;
    document.addEventListener("theme", () => this.#rebuild());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#rebuild());
    this.observer = new ResizeObserver(() => this.#resize());
    this.observer.observe(frame);
  }

  update(series) {
    if (!series || series.at_s.length === 0) {
      if (!this.charts.length) this.frame.replaceChildren(element("p", { class: "empty", text: "Figures appear as the first items end." }));
      return;
    }
    this.data = series;
    if (!this.charts.length) this.#build();
    for (const { plot, spec } of this.charts) plot.setData(this.#columns(spec));
    if (this.tableFrame.closest("details").open) this.#table();
  }

  #columns(spec) {
    return [this.data.at_s, ...spec.lines.map((line) => this.data[line.key])];
  }

  #build() {
    this.frame.replaceChildren();
    const soft = colour("soft"), line = colour("line");
    for (const spec of CHARTS) {
      const card = element("div", { class: "card chart" }, element("h2", { text: spec.title }));
      const place = element("div");
      card.append(place);
      this.frame.append(card);
      const axes = [
        { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { show: false }, values: (_, found) => found.map(clock), font: "11px system-ui", size: 26 },
        { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { show: false }, values: (_, found) => found.map((one) => spec.lines[0].show(one)), font: "11px system-ui", size: 52 },
      ];
      if (spec.lines.some((one) => one.scale)) {
        axes.push({ scale: "tokens", side: 1, stroke: soft, grid: { show: false }, ticks: { show: false }, values: (_, found) => found.map(short), font: "11px system-ui", size: 52 });
      }
      const plot = new window.uPlot({
        width: Math.max(220, place.clientWidth), height: HEIGHT,
        cursor: { sync: { key: sync.key, setSeries: false }, points: { size: 6 }, drag: { x: true, y: false } },
        scales: { x: { time: false }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1] }, tokens: { range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
        axes,
        series: [{ label: "at", value: (_, at) => (at === null ? "–" : clock(at)) }, ...spec.lines.map((one) => ({
          label: one.name, stroke: colour(one.colour), width: 1.6, dash: one.dash, scale: one.scale ?? "y", spanGaps: true,
          fill: one.fill ? faint(colour(one.colour)) : undefined, points: { show: false },
          paths: one.bars ? window.uPlot.paths.bars({ size: [0.9, 20] }) : undefined,
          value: (_, value) => (value === null || value === undefined ? "–" : one.show(value)),
        }))],
      }, this.#columns(spec), place);
      this.charts.push({ plot, spec, place });
    }
  }

  #resize() {
    cancelAnimationFrame(this.frameWait);
    this.frameWait = requestAnimationFrame(() => {
      for (const { plot, place } of this.charts) {
        const width = Math.max(220, place.clientWidth);
        if (width !== plot.width) plot.setSize({ width, height: HEIGHT });
      }
    });
  }

  #rebuild() {
    if (!this.data) return;
    for (const { plot } of this.charts) plot.destroy();
    this.charts = [];
    this.update(this.data);
  }

  #table() {
    const lines = CHARTS.flatMap((spec) => spec.lines);
    const head = element("tr", {}, element("th", { scope: "col", text: "at" }), ...lines.map((one) => element("th", { scope: "col", class: "number", text: one.name })));
    const step = Math.ceil(this.data.at_s.length / 120);
    const rows = [];
    for (let place = 0; place < this.data.at_s.length; place += step) {
      rows.push(element("tr", {}, element("td", { text: clock(this.data.at_s[place]) }),
        ...lines.map((one) => element("td", { class: "number", text: this.data[one.key][place] === null ? "–" : one.show(this.data[one.key][place]) }))));
    }
    this.tableFrame.replaceChildren(element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
  }

  showTable() { if (this.data) this.#table(); }
}
