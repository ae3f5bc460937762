// Results as they land: a virtual list, so that a hundred thousand of them weigh as much as fifty.

import { ask, asText, duration, element, money, number } from "./shell.js";

const ROW_PX = matchMedia("(max-width: 640px)").matches ? 60 : 46;
const PAGE = 200;
const KEPT = 40; // pages
const MOST_PX = 12_000_000; // browsers stop drawing somewhere above

// Rows by place: pages are fetched when they come into view and forgotten when far from it.
export class Results {
  constructor(frame, { run, onOpen }) {
    this.frame = frame;
    this.run = run;
    this.onOpen = onOpen;
    this.state = "";
    this.total = 0;
    this.space = element("div");
    this.rows = new Map();
    frame.append(this.space);
    frame.addEventListener("scroll", () => this.draw(), { passive: true });
    frame.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.draw()).observe(frame);
    this.chosen = -1;
    this.reset("");
  }

  reset(state) {
    this.state = state;
    this.pages = new Map(); // number -> rows
    this.starts = [0]; // the event after which page n begins, as far as it is known
    this.loading = new Map();
    this.total = 0;
    this.chosen = -1;
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
    this.frame.scrollTop = 0;
    this.draw();
  }

  // How many there are now; more may follow.
  grow(total) {
    if (total === this.total) return;
    const last = Math.floor(this.total / PAGE);
    this.total = total;
    if (this.pages.has(last) && this.pages.get(last).length < PAGE) this.stale = last;
    this.draw();
  }

  draw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.#draw(); });
  }

  #draw() {
    const height = Math.min(MOST_PX, this.total * ROW_PX);
    this.space.style.height = `${height}px`;
    if (this.total === 0) {
      this.none ??= element("p", { class: "empty", text: "Nothing here yet." });
      if (!this.none.isConnected) this.frame.append(this.none);
      return;
    }
    this.none?.remove();
    const squeeze = (this.total * ROW_PX) / height || 1;
    const first = Math.max(0, Math.floor((this.frame.scrollTop * squeeze) / ROW_PX) - 4);
    const count = Math.ceil(this.frame.clientHeight / ROW_PX) + 8;
    const last = Math.min(this.total, first + count);
    for (const [place, row] of this.rows) {
      if (place < first || place >= last) { row.remove(); this.rows.delete(place); }
    }
    for (let place = first; place < last; place += 1) {
      const item = this.#item(place);
      let row = this.rows.get(place);
      if (row && row.itemId !== (item?.id ?? null)) { row.remove(); row = null; }
      if (!row) {
        row = this.#row(item, place);
        row.itemId = item?.id ?? null;
        this.rows.set(place, row);
        this.frame.append(row);
      }
      row.style.top = `${this.frame.scrollTop + place * ROW_PX - this.frame.scrollTop * squeeze}px`;
      if (squeeze === 1) row.style.top = `${place * ROW_PX}px`;
      row.setAttribute("aria-selected", String(place === this.chosen));
    }
  }

  #item(place) {
    const page = Math.floor(place / PAGE);
    const rows = this.pages.get(page);
    if (!rows || (page === this.stale && rows.length <= place - page * PAGE)) this.#load(page);
    return rows?.[place - page * PAGE] ?? null;
  }

  async #load(page) {
    if (this.loading.has(page)) return;
    const state = this.state;
    this.loading.set(page, true);
    try {
      // Where a page begins is known from the one before it, or by its place among all items.
      let cursor = this.starts[page];
      if (cursor === undefined) cursor = state === "" ? page * PAGE : await this.#walk(page, state);
      const chosen = new URLSearchParams({ limit: String(PAGE), cursor: String(cursor) });
      if (state) chosen.set("state", state);
      const found = await ask(`/api/v1/runs/${encodeURIComponent(this.run)}/items?${chosen}`);
      if (state !== this.state) return;
      this.pages.set(page, found.data);
      if (found.next !== null) this.starts[page + 1] = Number(found.next);
      if (this.stale === page) this.stale = undefined;
      if (this.pages.size > KEPT) {
        const far = [...this.pages.keys()].sort((a, b) => Math.abs(b - page) - Math.abs(a - page))[0];
        this.pages.delete(far);
      }
      this.draw();
    } catch { /* drawn empty; scrolling asks again */ } finally {
      this.loading.delete(page);
    }
  }

  async #walk(page, state) {
    let known = page;
    while (this.starts[known] === undefined) known -= 1;
    for (; known < page; known += 1) {
      const chosen = new URLSearchParams({ limit: String(PAGE), cursor: String(this.starts[known]), state });
      const found = await ask(`/api/v1/runs/${encodeURIComponent(this.run)}/items?${chosen}`);
      if (found.next === null) return this.starts[known];
      this.starts[known + 1] = Number(found.next);
    }
    return this.starts[page];
  }

  #row(item, place) {
    if (!item) return element("div", { class: "row", role: "row", "aria-rowindex": place + 1 }, element("span", { class: "dim", role: "gridcell", text: "…" }));
    const failed = item.state === "failed";
    const said = failed ? item.error?.message ?? "failed" : asText(item.value).replace(/\s+/g, " ");
    return element("div", { class: "row", role: "row", "aria-rowindex": place + 1, onclick: () => { this.chosen = place; this.draw(); this.onOpen(item.id); } },
      element("span", { role: "gridcell", text: item.id }),
      element("span", { role: "gridcell", class: "dim left", text: item.model || "" }),
      element("span", { role: "gridcell", class: failed ? "why" : "", text: said }),
      element("span", { role: "gridcell", class: "dim", text: item.cached ? "cached" : duration(item.service_s) }),
      element("span", { role: "gridcell", class: "dim", text: item.attempts > 1 ? `${number(item.attempts)} sends` : money(item.cost_usd) }));
  }

  #key(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
    if (event.key in steps) {
      event.preventDefault();
      this.chosen = Math.min(this.total - 1, Math.max(0, this.chosen + steps[event.key]));
      const top = this.chosen * ROW_PX;
      if (top < this.frame.scrollTop) this.frame.scrollTop = top;
      if (top + ROW_PX > this.frame.scrollTop + this.frame.clientHeight) this.frame.scrollTop = top + ROW_PX - this.frame.clientHeight;
      this.draw();
    } else if (event.key === "Enter") {
      event.preventDefault(); // else it would press the button that has the focus by then
      const item = this.#item(this.chosen);
      if (item) this.onOpen(item.id);
    }
  }
}
