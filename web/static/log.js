// The log of a run that goes on: lines come as they are written, and the page follows its end.

const MOST_LINES = 5000;

function row(line) {
  const item = document.createElement("li");
  item.className = `t-${line.tone || "plain"}`;
  const parts = { time: (line.at ?? "").slice(11, 23), b: line.label, span: line.step, code: line.text };
  for (const [tag, text] of Object.entries(parts)) {
    item.appendChild(document.createElement(tag)).textContent = text;
  }
  return item;
}

function follow(log) {
  const state = document.querySelector("[data-log-state]");
  const box = document.querySelector("[data-follow]");
  document.querySelector("[data-follow-label]").hidden = false;
  const address = new URL(log.dataset.stream, location.href);
  if (log.dataset.after) address.searchParams.set("after", log.dataset.after);
  const source = new EventSource(address);
  source.addEventListener("lines", (event) => {
    const lines = JSON.parse(event.data);
    if (!lines.length) return; // none of those that came are wanted here
    document.querySelector("[data-log-empty]")?.remove();
    log.append(...lines.map(row));
    while (log.childElementCount > MOST_LINES) log.firstElementChild.remove();
    state.textContent = `${log.childElementCount} lines, live`;
    if (box.checked) log.scrollTop = log.scrollHeight;
  });
  source.addEventListener("end", () => {
    source.close();
    state.textContent = `${log.childElementCount} lines, the run has ended`;
  });
  // A browser has few lines to one host; a page that nobody sees gives its own back.
  addEventListener("pagehide", () => source.close());
}

const log = document.querySelector("[data-log]");
if (log) {
  log.scrollTop = log.scrollHeight;
  if (log.dataset.stream) follow(log);
}
