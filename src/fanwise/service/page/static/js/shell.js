// What every page has: colours, log out, words for figures, requests.

const themes = ["system", "light", "dark"];
const button = document.getElementById("theme");

function applyTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  if (button) {
    button.textContent = { system: "◐", light: "☀", dark: "☾" }[theme];
    button.setAttribute("aria-label", `Colours: ${theme === "system" ? "as the system has them" : theme}`);
  }
  document.dispatchEvent(new CustomEvent("theme"));
}

let theme = localStorage.getItem("theme") ?? "system";
applyTheme(themes.includes(theme) ? theme : "system");
button?.addEventListener("click", () => {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length];
  localStorage.setItem("theme", theme);
  applyTheme(theme);
});

document.getElementById("log-out")?.addEventListener("click", async () => {
  await fetch("/logout", { method: "POST" });
  location.assign("/");
});

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

const toast = document.getElementById("said");
let toastTimer = 0;

export function say(text, bad = false) {
  toast.textContent = text;
  toast.classList.toggle("bad", bad);
  toast.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { toast.hidden = true; }, bad ? 9000 : 4000);
}

export class Problem extends Error {
  constructor(status, error) {
    super(error.hint ? `${error.message}: ${error.hint}` : error.message);
    this.status = status;
    this.fields = error.fields ?? {};
  }
}

// One request; what goes wrong is a Problem with the service's own words.
export async function ask(path, { method = "GET", body, form, headers = {} } = {}) {
  const how = { method, headers: { ...headers } };
  if (form !== undefined) how.body = form;
  else if (method !== "GET") {
    how.headers["Content-Type"] = "application/json";
    how.body = JSON.stringify(body ?? {});
  }
  const answer = await fetch(path, how);
  if (answer.status === 401) location.assign("/");
  const text = await answer.text();
  const found = text && answer.headers.get("content-type")?.includes("json") ? JSON.parse(text) : text;
  if (!answer.ok) throw new Problem(answer.status, found?.error ?? { message: `the service answered ${answer.status}` });
  return found;
}

export function element(name, { text, ...attributes } = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "data") Object.assign(made.dataset, value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  if (text !== undefined) made.textContent = text;
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function number(value) {
  return value === null || value === undefined ? "?" : whole.format(value);
}

export function short(value) {
  if (value === null || value === undefined) return "?";
  if (Math.abs(value) >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  if (Math.abs(value) >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  return Math.abs(value) >= 100 || Number.isInteger(value) ? whole.format(value) : value.toFixed(1);
}

export function money(value) {
  if (value === null || value === undefined) return "?";
  if (value === 0) return "$0";
  return value < 1 ? `$${value.toPrecision(2)}` : `$${value.toFixed(2)}`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "?";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
  return `${Math.round(seconds / 86400)} days`;
}

export function ago(instant) {
  return `${duration(Math.max(1, Date.now() / 1000 - instant))} ago`;
}

export function asText(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
