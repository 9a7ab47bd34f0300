// Graphs: drag, zoom, walk with arrows, show what lies above and below, hide what is off the screen.

const BOX = { width: 196, height: 44 };
const FAR = 0.4; // below this scale no text can be read, and boxes are painted whole
const MOST_SHRUNK = 0.12; // of a very large graph, when it is first seen
const NARROW = 600; // a window in which a graph is first seen as large as it can be read
const MARGIN = 0.25; // of the window, kept drawn around it

class Graph {
  constructor(canvas) {
    this.canvas = canvas;
    this.svg = canvas.querySelector("svg");
    this.boxes = new Map([...this.svg.querySelectorAll("a[data-n]")].map((box) => [box.dataset.n, box]));
    this.above = new Map();
    this.below = new Map();
    this.places = [];
    this.view = null;
    this.frame = 0;
    this.drag = null;
    this.tag = null;
    this.measure();
    this.listen();
    this.start();
    canvas.querySelector("[data-zoom]").hidden = false;
    // The server may be gone for a while.
    if (canvas.dataset.again) setInterval(() => this.again().catch(() => undefined), 10000);
  }

  measure() {
    for (const box of this.boxes.values()) {
      const { e: x, f: y } = box.transform.baseVal[0].matrix;
      this.places.push({ element: box, x, y, right: x + BOX.width, bottom: y + BOX.height, isOut: false });
    }
    for (const path of this.svg.querySelectorAll(".lines path")) {
      const { a, b } = path.dataset;
      this.join(this.below, a, b, path);
      this.join(this.above, b, a, path);
      const { x, y, width, height } = path.getBBox();
      this.places.push({ element: path, x, y, right: x + width, bottom: y + height, isOut: false });
    }
  }

  join(map, from, to, path) {
    if (!map.has(from)) map.set(from, []);
    map.get(from).push([to, path]);
  }

  listen() {
    const { canvas, svg } = this;
    canvas.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.onDown(event));
    addEventListener("pointermove", (event) => this.onMove(event));
    addEventListener("pointerup", () => setTimeout(() => (this.drag = null)));
    canvas.addEventListener("click", (event) => this.drag?.moved > 5 && event.preventDefault(), true);
    canvas.addEventListener("dragstart", (event) => event.preventDefault());
    canvas.addEventListener("keydown", (event) => this.onKey(event));
    svg.addEventListener("pointerover", (event) => this.light(event.target.closest("a[data-n]")));
    svg.addEventListener("pointerleave", () => this.light(document.activeElement.closest?.("a[data-n]") ?? null));
    svg.addEventListener("focusin", (event) => this.light(event.target.closest("a[data-n]")));
    svg.addEventListener("focusout", () => this.light(null));
    canvas.querySelector("[data-zoom]").addEventListener("click", (event) => {
      const how = event.target.dataset.z;
      if (how === "fit") this.fit();
      else if (how) this.zoom(how === "in" ? 0.75 : 1.33);
    });
    new ResizeObserver(() => this.view && this.look(this.view.x, this.view.y, this.view.width)).observe(canvas);
  }

  start() {
    const asked = new URLSearchParams(location.hash.slice(1));
    const [x, y, width] = ["x", "y", "w"].map((name) => Number(asked.get(name)));
    if (asked.has("w") && width > 0 && [x, y].every(Number.isFinite)) this.look(x, y, width);
    else this.fit(this.canvas.clientWidth < NARROW ? FAR * 1.5 : MOST_SHRUNK);
  }

  // What is seen stands behind the # of the address: Back leaves the page and undoes no dragging.
  look(x, y, width, keeps = false) {
    const height = (width * this.canvas.clientHeight) / this.canvas.clientWidth;
    this.view = { x, y, width, height };
    this.svg.setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
    this.svg.classList.toggle("far", this.canvas.clientWidth / width < FAR);
    this.frame ||= requestAnimationFrame(() => this.cull());
    if (!keeps) return;
    clearTimeout(this.keeping);
    const hash = `#x=${Math.round(x)}&y=${Math.round(y)}&w=${Math.round(width)}`;
    this.keeping = setTimeout(() => history.replaceState(history.state, "", hash), 250);
  }

  // All of it; at first no smaller than can be made out, from the middle.
  fit(least = 0) {
    const { width, height } = this.svg.dataset;
    const ratio = this.canvas.clientWidth / this.canvas.clientHeight;
    const all = Math.max(Number(width) + 48, (Number(height) + 48) * ratio, this.canvas.clientWidth);
    const wide = least ? Math.min(all, this.canvas.clientWidth / least) : all;
    this.look((Number(width) - wide) / 2, (Number(height) - wide / ratio) / 2, wide);
  }

  cull() {
    this.frame = 0;
    const { x, y, width, height } = this.view;
    const margin = width * MARGIN;
    for (const place of this.places) {
      const isOut =
        place.right < x - margin ||
        place.x > x + width + margin ||
        place.bottom < y - margin ||
        place.y > y + height + margin;
      if (isOut !== place.isOut) place.element.classList.toggle("out", (place.isOut = isOut));
    }
  }

  zoom(factor, left = this.canvas.clientWidth / 2, top = this.canvas.clientHeight / 2) {
    const most = 4 * (Number(this.svg.dataset.width) + Number(this.svg.dataset.height) + 400);
    const width = Math.min(Math.max(this.view.width * factor, 300), most);
    const [before, after] = [this.view.width, width].map((each) => each / this.canvas.clientWidth);
    this.look(this.view.x + left * (before - after), this.view.y + top * (before - after), width, true);
  }

  onWheel(event) {
    event.preventDefault();
    const box = this.canvas.getBoundingClientRect();
    this.zoom(1.0015 ** event.deltaY, event.clientX - box.left, event.clientY - box.top);
  }

  onDown(event) {
    if (event.button !== 0 || event.target.closest("[data-zoom]")) return;
    this.drag = { left: event.clientX, top: event.clientY, view: this.view, moved: 0 };
  }

  onMove(event) {
    if (!this.drag || event.buttons === 0) return;
    const { left, top, view } = this.drag;
    const scale = view.width / this.canvas.clientWidth;
    this.drag.moved = Math.max(this.drag.moved, Math.abs(event.clientX - left) + Math.abs(event.clientY - top));
    this.look(view.x - (event.clientX - left) * scale, view.y - (event.clientY - top) * scale, view.width, true);
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = { "+": () => this.zoom(0.75), "=": () => this.zoom(0.75), "-": () => this.zoom(1.33), 0: () => this.fit() };
    if (act[event.key]) return act[event.key]();
    if (event.key === "Escape") return document.activeElement.blur();
    if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    const here = event.target.closest("a[data-n]");
    const next = here ? this.beside(here, event.key) : this.boxes.values().next().value;
    if (next) this.show(next);
  }

  beside(box, key) {
    const along = { ArrowRight: this.below, ArrowLeft: this.above }[key];
    if (along) return this.boxes.get(along.get(box.dataset.n)?.[0]?.[0]);
    const here = this.places.find((place) => place.element === box);
    const sign = key === "ArrowUp" ? -1 : 1;
    const others = this.places.filter(
      (place) => place.element.dataset.n && place.x === here.x && sign * (place.y - here.y) > 0,
    );
    return others.sort((one, other) => sign * (one.y - other.y))[0]?.element;
  }

  show(box) {
    const { x, y } = this.places.find((place) => place.element === box);
    const { view } = this;
    const isIn = x > view.x && x + BOX.width < view.x + view.width && y > view.y && y + BOX.height < view.y + view.height;
    if (!isIn) this.look(x + BOX.width / 2 - view.width / 2, y + BOX.height / 2 - view.height / 2, view.width, true);
    box.classList.remove("out"); // what is hidden cannot be focused
    box.focus({ preventScroll: true });
  }

  light(box) {
    for (const each of this.svg.querySelectorAll(".hot")) each.classList.remove("hot");
    this.svg.classList.toggle("dim", box !== null);
    if (box === null) return;
    box.classList.add("hot");
    for (const map of [this.above, this.below]) {
      const seen = new Set([box.dataset.n]);
      for (const number of seen) {
        for (const [other, path] of map.get(number) ?? []) {
          path.classList.add("hot");
          this.boxes.get(other)?.classList.add("hot");
          seen.add(other);
        }
      }
    }
  }

  // Statuses move and places do not: only what is in the boxes is taken over.
  async again() {
    if (document.hidden) return;
    const answer = await fetch(this.canvas.dataset.again, { cache: "no-cache" });
    const tag = answer.headers.get("ETag");
    if (!answer.ok || tag === this.tag) return;
    this.tag = tag;
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const fresh of parsed.querySelectorAll("a[data-n]")) {
      const box = this.boxes.get(fresh.dataset.n);
      if (!box || box.getAttribute("href") !== fresh.getAttribute("href")) continue;
      box.dataset.s = fresh.dataset.s;
      box.setAttribute("aria-label", fresh.getAttribute("aria-label"));
      box.replaceChildren(...fresh.childNodes);
    }
  }
}

for (const canvas of document.querySelectorAll("[data-graph]")) new Graph(canvas);
