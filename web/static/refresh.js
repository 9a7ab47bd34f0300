// Parts of a page that ask for themselves again: data-refresh is their address, data-every the seconds between.

async function refresh(part) {
  if (part.querySelector("input:checked, [data-chosen]")) return; // somebody is choosing
  if (document.hidden || part.contains(document.activeElement) && document.activeElement.matches("input, select")) return;
  // The browser sends the tag of what it has; the same content comes back as such.
  const answer = await fetch(part.dataset.refresh, { cache: "no-cache", headers: { Accept: "text/html" } });
  const tag = answer.headers.get("ETag");
  if (!answer.ok || tag === part.dataset.tag) return;
  const isFirst = part.dataset.tag === undefined;
  part.dataset.tag = tag;
  const text = await answer.text();
  if (isFirst && text.trim() === part.innerHTML.trim()) return;
  const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const scrolls = [...part.querySelectorAll(".scroll")].map((each) => [each.scrollLeft, each.scrollTop]);
  // Our own server's rendering of the same template, escaped there.
  const parsed = new DOMParser().parseFromString(text, "text/html");
  part.replaceChildren(...parsed.body.childNodes);
  part.querySelectorAll(".scroll").forEach((each, place) => ([each.scrollLeft, each.scrollTop] = scrolls[place] ?? [0, 0]));
  if (focused !== null) part.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
  part.dispatchEvent(new CustomEvent("refreshed", { bubbles: true }));
}

export function refreshParts(root) {
  for (const part of root.querySelectorAll("[data-refresh]")) {
    const seconds = Number(part.dataset.every) || 5;
    setInterval(() => refresh(part).catch(() => undefined), seconds * 1000); // the server may be gone for a while
  }
}
