// Heat-maps: what is under the pointer, a range by dragging or by keys, and a canvas where there are very many cells.
// Enter plans the backfill of a range; the form below a map has its keys, and zooms into it, without any of this, too.
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
    this.frame = box.querySelector("[data-frame]");
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
      picture.setPointerCapture(event.pointerId);
      this.isDragging = true;
      this.choose(cell, cell);
    });
    for (const end of ["pointerup", "pointercancel"]) picture.addEventListener(end, () => (this.isDragging = false));
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
    if (event.key === "Enter" && this.anchor !== null) return this.form?.requestSubmit();
    if (step === undefined || !this.cells) return;
    event.preventDefault();
    let next = this.cursor === null ? this.cells.findIndex(Boolean) : this.cursor + step;
    while (next >= 0 && next < this.cells.length && !this.cells[next]) next += step;
    if (next < 0 || next >= this.cells.length) return;
    this.choose(event.shiftKey && this.anchor !== null ? this.anchor : next, next);
  }

  choose(anchor, cursor) {
    if (!this.cells?.[anchor] || !this.cells[cursor]) return;
    [this.anchor, this.cursor] = [anchor, cursor];
    const spans = this.spans();
    this.drawFrame(spans);
    if (!this.form) return;
    const [from, to] = this.ends();
    this.form.elements.from.value = from;
    this.form.elements.to.value = to;
    this.countPlan(spans);
  }

  // The first and the last key of the selection.
  ends() {
    const [low, high] = [this.anchor, this.cursor].sort((one, other) => one - other);
    const [one, other] = [this.cells[low], this.cells[high]];
    const { order } = this.picture.dataset;
    // Keys of time sort as they read.
    if (order === "time") return one[0] <= other[0] ? [one[0], other[1]] : [other[0], one[1]];
    if (order === "place") return [one[0], other[1]];
    const columns = [low % this.columns, high % this.columns].sort((left, right) => left - right);
    const corners = [low, high].map((cell, place) => cell - (cell % this.columns) + columns[place]);
    return [this.cells[corners[0]][0], this.cells[corners[1]][1]];
  }

  // Which columns of which rows are selected: [row, first column, last column].
  spans() {
    if (this.anchor === null) return [];
    const cells = [this.anchor, this.cursor].sort((one, other) => one - other);
    const [[top, left], [bottom, right]] = cells.map((cell) => [Math.floor(cell / this.columns), cell % this.columns]);
    const rows = Array.from({ length: bottom - top + 1 }, (_, place) => top + place);
    const columns = [left, right].sort((one, other) => one - other);
    const { order } = this.picture.dataset;
    if (order === "box" || top === bottom) return rows.map((row) => [row, ...columns]);
    const end = this.columns - 1;
    return rows.map((row) => {
      if (order === "time") return [row, row === bottom ? right : 0, row === top ? left : end];
      return [row, row === top ? left : 0, row === bottom ? right : end];
    });
  }

  countPlan(spans) {
    const button = this.form.querySelector("[data-plan]");
    if (!button) return;
    const cells = spans.flatMap(([row, first, last]) => this.cells.slice(row * this.columns + first, row * this.columns + last + 1));
    const keys = cells.filter(Boolean);
    const isExact = keys.length > 0 && keys.every(([first, last]) => first === last);
    button.textContent = isExact ? `Plan a backfill of ${keys.length}` : "Plan a backfill";
  }

  clear() {
    this.anchor = this.cursor = null;
    this.drawFrame([]);
    if (!this.form) return;
    this.form.elements.from.value = this.form.elements.to.value = "";
    this.countPlan([]);
  }

  drawFrame(spans) {
    this.box.toggleAttribute("data-chosen", spans.length > 0); // the part is not refreshed below somebody's hand
    const { cellWidth, cellHeight, pitch } = this.picture.dataset;
    const path = spans.map(([row, first, last]) => {
      const width = (last - first + 1) * Number(cellWidth);
      return `M${first * Number(cellWidth)} ${row * Number(pitch)}h${width}v${cellHeight}h${-width}z`;
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
