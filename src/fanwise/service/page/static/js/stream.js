// A run's event stream, joined again where it breaks, from the last durable event that was seen.

export class RunStream {
  constructor(id, { onEvent, onSnapshot, onPart, onEnd, onState }) {
    this.id = id;
    this.last = 0;
    this.told = { onEvent, onSnapshot, onPart, onEnd, onState };
    this.source = null;
    this.retry = 0;
  }

  open(after = 0) {
    this.last = Math.max(this.last, after);
    this.close();
    const source = new EventSource(`/api/v1/runs/${encodeURIComponent(this.id)}/events?after=${this.last}`);
    this.source = source;
    source.onopen = () => { this.retry = 0; this.told.onState?.("live"); };
    source.onerror = () => {
      if (source !== this.source) return;
      this.told.onState?.("away");
      source.close();
      this.retry += 1;
      this.timer = setTimeout(() => this.open(), Math.min(15000, 500 * 2 ** this.retry));
    };
    for (const kind of ["item.succeeded", "item.failed", "item.cancelled"]) {
      source.addEventListener(kind, (message) => this.#event(message));
    }
    for (const kind of ["run.paused", "run.resumed", "run.drained", "run.cancelled", "limits.set", "limits.changed", "budget.set", "alert"]) {
      source.addEventListener(kind, (message) => this.#event(message));
    }
    source.addEventListener("snapshot", (message) => {
      const data = JSON.parse(message.data);
      if (message.lastEventId) this.last = Math.max(this.last, Number(message.lastEventId));
      this.told.onSnapshot?.(data.snapshot);
    });
    source.addEventListener("part", (message) => this.told.onPart?.(JSON.parse(message.data)));
    source.addEventListener("end", () => { this.close(); this.told.onEnd?.(); });
  }

  #event(message) {
    this.last = Math.max(this.last, Number(message.lastEventId));
    this.told.onEvent?.(message.type, message);
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }
}
