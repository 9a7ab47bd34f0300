// What every page has: theme, keys, parts that refresh themselves. Pages work without any of it.
import { refreshParts } from "./refresh.js";
import { selectInHeatMaps } from "./heat.js";

const GO = { o: "/", a: "/assets", l: "/lineage", r: "/runs", b: "/backfills", s: "/schedules" };

const SYSTEM = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : SYSTEM.matches;
}

// The button says what it leads to.
function nameTheme() {
  const button = document.querySelector("[data-theme-toggle]");
  if (!button) return;
  button.hidden = false;
  button.textContent = isDark() ? "Light mode" : "Dark mode";
}

function toggleTheme() {
  const { dataset } = document.documentElement;
  dataset.theme = isDark() ? "light" : "dark";
  nameTheme();
  try {
    localStorage.setItem("theme", dataset.theme);
  } catch {
    // It holds for this page only.
  }
}

function isTyping(target) {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;
}

let wentAt = 0;

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const help = document.querySelector("[data-help]");
  if (event.key === "/") {
    event.preventDefault();
    document.querySelector("[data-find]")?.focus();
  } else if (event.key === "?") {
    help?.showModal();
  } else if (event.key === "g") {
    wentAt = event.timeStamp;
  } else if (event.timeStamp - wentAt < 1000 && GO[event.key]) {
    location.assign(GO[event.key]);
  }
}

document.addEventListener("keydown", onKey);
document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest("[data-theme-toggle]")) toggleTheme();
  if (target?.closest("[data-help-close]")) document.querySelector("[data-help]")?.close();
  const copy = target?.closest("[data-copy]");
  if (copy) navigator.clipboard?.writeText(copy.dataset.copy).then(() => (copy.textContent = "Copied"));
});

// What is chosen, or came last, may lie beyond the edge of a narrow window.
function showChosen(root) {
  for (const each of root.querySelectorAll(".rail [aria-current], .tabs [aria-current]")) {
    const row = each.closest(".rail, .tabs");
    if (row.scrollWidth > row.clientWidth) row.scrollLeft = each.offsetLeft - row.clientWidth / 2;
  }
  for (const each of root.querySelectorAll("[data-end]")) each.scrollLeft = each.scrollWidth;
}

SYSTEM.addEventListener("change", nameTheme);
nameTheme();
showChosen(document);
refreshParts(document);
selectInHeatMaps(document);
