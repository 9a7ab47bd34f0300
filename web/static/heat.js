// Heat-maps: what is under the pointer, a range by dragging or by keys, and a canvas where there are very many cells.
// The list of ranges below a map says the same without any of it.

const COLOURS = ["", "--fill", "--external", "--running", "--hole", "--stale", "--failed"];

class HeatMap {
  constructor(box) {
    this.box = box;
    this.picture = box.querySelector("[data-heat]");
    this.tip = box.querySelector("[data-tip]");
    this.columns = Number(this.picture.dataset.columns);
    this.rows = Number(this.picture.dataset.rows);
    this.form = document.querySelector("[data-range]");
    this.frame = this.picture.querySelector("[data-frame]");
    this.cells = null;
    this.anchor = null;
    this.cursor = null;
    this.isDragging = false;
    this.listen();
    if (this.picture.dataset.paint) this.paint().catch(() => undefined);
  }

  listen() {
    const picture = this.picture;
    picture.addEventListener("pointerenter", () => this.load(), { once: true });
    picture.addEventListener("focus", () => this.load(), { once: true });
    picture.addEventListener("pointermove", (event) => this.move(event));
    picture.addEventListener("pointerleave", () => (this.tip.hidden = true));
    picture.addEventListener("pointerdown", (event) => {
      const cell = this.cellAt(event);
      if (cell === null) return;
      event.preventDefault();
      picture.focus({ preventScroll: true });
      this.isDragging = true;
      this.choose(cell, cell);
    });
    addEventListener("pointerup", () => (this.isDragging = false));
    picture.addEventListener("keydown", (event) => this.onKey(event));
  }

  async load() {
    if (this.cells) return;
    const answer = await fetch(this.picture.dataset.cells, { headers: { Accept: "application/json" } });
    if (answer.ok) this.cells = (await answer.json()).keys;
  }

  // Where the pointer is: the picture may be drawn smaller than its own units.
  cellAt(event) {
    const box = this.picture.getBoundingClientRect();
    const { left, top, width, height, unitsWide, unitsHigh } = this.measures(box);
    const column = Math.floor(((event.clientX - box.left) / box.width) * unitsWide - left) / width;
    const row = Math.floor(((event.clientY - box.top) / box.height) * unitsHigh - top) / height;
    if (column < 0 || row < 0 || column >= this.columns || row >= this.rows) return null;
    return Math.floor(row) * this.columns + Math.floor(column);
  }

  measures(box) {
    const data = this.picture.dataset;
    return {
      left: Number(data.left),
      top: Number(data.top),
      width: Number(data.cellWidth),
      height: Number(data.pitch),
      unitsWide: Number(data.wide) || box.width,
      unitsHigh: Number(data.high) || box.height,
    };
  }

  move(event) {
    const cell = this.cellAt(event);
    const keys = cell === null ? null : this.cells?.[cell];
    this.tip.hidden = !keys;
    if (!keys) return;
    this.tip.textContent = keys[0] === keys[1] ? keys[0] : `${keys[0]} \u2026 ${keys[1]}`;
    const box = this.box.getBoundingClientRect();
    const left = Math.min(event.clientX - box.left + 12, box.width - this.tip.offsetWidth - 4);
    this.tip.style.left = `${Math.max(0, left)}px`;
    this.tip.style.top = `${event.clientY - box.top - 30}px`;
    if (this.isDragging) this.choose(this.anchor, cell);
  }

  onKey(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns }[event.key];
    if (event.key === "Escape") return this.clear();
    if (step === undefined || !this.cells) return;
    event.preventDefault();
    let next = this.cursor === null ? this.cells.findIndex(Boolean) : this.cursor + step;
    while (next >= 0 && next < this.cells.length && !this.cells[next]) next += step;
    if (next < 0 || next >= this.cells.length) return;
    this.choose(event.shiftKey && this.anchor !== null ? this.anchor : next, next);
  }

  choose(anchor, cursor) {
    [this.anchor, this.cursor] = [anchor, cursor];
    const [one, other] = [this.cells?.[anchor], this.cells?.[cursor]];
    if (!one || !other) return;
    this.drawFrame();
    if (!this.form) return;
    // Keys of time sort as they read; of others the place tells which comes first.
    const isForward = this.picture.dataset.order === "time" ? one[0] <= other[0] : anchor <= cursor;
    const [first, last] = isForward ? [one[0], other[1]] : [other[0], one[1]];
    this.form.elements.from.value = first;
    this.form.elements.to.value = last;
  }

  clear() {
    this.anchor = this.cursor = null;
    this.drawFrame();
    if (this.form) this.form.elements.from.value = this.form.elements.to.value = "";
  }

  drawFrame() {
    if (!this.frame) return;
    const data = this.picture.dataset;
    const [width, pitch] = [Number(data.cellWidth), Number(data.pitch)];
    const ends = this.anchor === null ? [] : [this.anchor, this.cursor];
    const path = ends.map((cell) => {
      const [x, y] = [(cell % this.columns) * width, Math.floor(cell / this.columns) * pitch];
      return `M${x} ${y}h${width}v${Number(data.cellHeight)}h${-width}z`;
    });
    this.frame.setAttribute("d", path.join(""));
  }

  async paint() {
    const answer = await fetch(this.picture.dataset.paint, { headers: { Accept: "application/octet-stream" } });
    if (!answer.ok) return;
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const data = this.picture.dataset;
    const [width, height, pitch] = [Number(data.cellWidth), Number(data.cellHeight), Number(data.pitch)];
    const draw = () => {
      const pen = this.picture.getContext("2d");
      const style = getComputedStyle(document.documentElement);
      pen.clearRect(0, 0, this.picture.width, this.picture.height);
      COLOURS.forEach((name, shade) => {
        if (!name) return;
        pen.fillStyle = style.getPropertyValue(name);
        for (let place = 0; place < bytes.length; place += 1) {
          if (bytes[place] !== shade) continue;
          pen.fillRect((place % this.columns) * width, Math.floor(place / this.columns) * pitch, width, height);
        }
      });
      data.painted = bytes.length;
    };
    draw();
    new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }
}

export function selectInHeatMaps(root) {
  for (const box of root.querySelectorAll("[data-heat-box]")) new HeatMap(box);
  root.addEventListener("refreshed", (event) => {
    for (const box of event.target.querySelectorAll("[data-heat-box]")) new HeatMap(box);
  });
}
