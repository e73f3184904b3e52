// Images side by side: slices, window and level, zoom and pan, one to four panels. Pixels are those of the server's PNG, 8 bits.

const CACHED = 48; // decoded images
const LAYOUTS = [1, 2, 4];

export class Viewer {
  constructor(panels, tools, word) {
    this.root = panels;
    this.tools = tools;
    this.word = word;
    this.cache = new Map();
    this.count = 1;
    this.panels = [];
    new ResizeObserver(() => this.panels.forEach((panel) => this.draw(panel))).observe(panels);
  }

  // slices: [{sha256, label, shown}]; first: where to begin.
  show(slices, first = 0) {
    this.slices = slices;
    this.first = first;
    this.layout(this.count);
  }

  prefetch(hashes) {
    hashes.slice(0, 4).forEach((sha256) => this.load(sha256).catch(() => {}));
  }

  layout(count) {
    this.count = count;
    this.root.dataset.count = count;
    this.root.replaceChildren();
    this.panels = [];
    for (let number = 0; number < count; number++) {
      const index = Math.min(this.first + number, this.slices.length - 1);
      this.panels.push(this.makePanel(Math.max(index, 0)));
    }
    this.activate(0);
    this.makeTools();
    this.panels.forEach((panel) => this.turn(panel, 0));
  }

  makePanel(index) {
    const panel = { index, ...neutral(), element: document.createElement("div"), canvas: document.createElement("canvas") };
    panel.element.className = "panel";
    panel.label = Object.assign(document.createElement("span"), { className: "label" });
    panel.state = Object.assign(document.createElement("span"), { className: "state" });
    panel.element.append(panel.canvas, panel.label, panel.state);
    this.root.append(panel.element);
    const number = this.panels.length;
    panel.element.addEventListener("pointerdown", (event) => this.drag(panel, number, event));
    panel.element.addEventListener("contextmenu", (event) => event.preventDefault());
    panel.element.addEventListener("dblclick", () => this.reset(panel));
    panel.element.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.activate(number);
      if (event.ctrlKey || this.slices.length < 2) this.zoom(panel, event.deltaY < 0 ? 1.15 : 1 / 1.15);
      else this.turn(panel, Math.sign(event.deltaY));
    }, { passive: false });
    return panel;
  }

  makeTools() {
    const act = (word, run) => {
      const button = Object.assign(document.createElement("button"), { textContent: this.word(word), type: "button" });
      button.addEventListener("click", () => { run(); button.blur(); });
      return button;
    };
    this.tools.replaceChildren(
      act("slice_back", () => this.turn(this.active, -1)), act("slice_on", () => this.turn(this.active, 1)),
      act("zoom_in", () => this.zoom(this.active, 1.25)), act("zoom_out", () => this.zoom(this.active, 0.8)),
      act("contrast_up", () => this.window(this.active, -20, 0)), act("contrast_down", () => this.window(this.active, 20, 0)),
      act("brighter", () => this.window(this.active, 0, -12)), act("darker", () => this.window(this.active, 0, 12)),
      act("invert", () => this.invert(this.active)), act("reset", () => this.reset(this.active)),
      act("panels", () => this.nextLayout()),
    );
  }

  nextLayout() {
    this.first = this.active.index;
    this.layout(LAYOUTS[(LAYOUTS.indexOf(this.count) + 1) % LAYOUTS.length]);
  }

  activate(number) {
    this.number = (number + this.panels.length) % this.panels.length;
    this.active = this.panels[this.number];
    this.panels.forEach((panel) => panel.element.classList.toggle("active", panel === this.active && this.count > 1));
  }

  async turn(panel, by) {
    panel.index = Math.min(Math.max(panel.index + by, 0), this.slices.length - 1);
    const slice = this.slices[panel.index];
    if (!slice) return;
    panel.label.textContent = `${panel.index + 1}/${this.slices.length}  ${slice.label}`;
    panel.label.classList.toggle("shown", slice.shown);
    panel.wanted = slice.sha256;
    try {
      const image = await this.load(slice.sha256);
      if (panel.wanted !== slice.sha256) return;
      panel.image = image;
      panel.painted = null;
      this.draw(panel);
      panel.element.dataset.slice = panel.index;
    } catch (error) {
      if (panel.wanted !== slice.sha256) return;
      panel.image = null;
      this.draw(panel);
      panel.state.textContent = error.message;
    }
    for (const next of [this.slices[panel.index + 1], this.slices[panel.index - 1]]) {
      if (next) this.load(next.sha256).catch(() => {});
    }
  }

  zoom(panel, factor) {
    panel.zoom = Math.min(Math.max(panel.zoom * factor, 1), 20);
    if (panel.zoom === 1) panel.x = panel.y = 0;
    this.draw(panel);
  }

  window(panel, width, level) {
    panel.width = Math.min(Math.max(panel.width + width, 2), 510);
    panel.level = Math.min(Math.max(panel.level + level, 0), 255);
    panel.painted = null;
    this.draw(panel);
  }

  invert(panel) {
    panel.inverted = !panel.inverted;
    panel.painted = null;
    this.draw(panel);
  }

  reset(panel) {
    Object.assign(panel, neutral());
    panel.painted = null;
    this.draw(panel);
  }

  // Left button: pan; right button or Shift: window (across) and level (down).
  drag(panel, number, start) {
    this.activate(number);
    panel.element.setPointerCapture(start.pointerId);
    let { clientX, clientY } = start;
    const windowing = start.button === 2 || start.shiftKey;
    const move = (event) => {
      const [x, y] = [event.clientX - clientX, event.clientY - clientY];
      ({ clientX, clientY } = event);
      if (windowing) return this.window(panel, x, y);
      panel.x += x;
      panel.y += y;
      this.draw(panel);
    };
    const end = () => {
      panel.element.removeEventListener("pointermove", move);
      panel.element.removeEventListener("pointerup", end);
    };
    panel.element.addEventListener("pointermove", move);
    panel.element.addEventListener("pointerup", end);
  }

  load(sha256) {
    if (this.cache.has(sha256)) return this.cache.get(sha256);
    const loading = decode(sha256);
    this.cache.set(sha256, loading);
    loading.catch(() => this.cache.delete(sha256));
    if (this.cache.size > CACHED) this.cache.delete(this.cache.keys().next().value);
    return loading;
  }

  draw(panel) {
    const { canvas, image } = panel;
    const scale = window.devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * scale));
    canvas.height = Math.max(1, Math.round(canvas.clientHeight * scale));
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!image) return;
    panel.painted ??= paint(image, panel);
    const fit = Math.min(canvas.width / image.width, canvas.height / image.height) * panel.zoom;
    const [width, height] = [image.width * fit, image.height * fit];
    context.imageSmoothingEnabled = fit < 4;
    context.drawImage(panel.painted, (canvas.width - width) / 2 + panel.x * scale, (canvas.height - height) / 2 + panel.y * scale, width, height);
    panel.state.textContent = `W ${Math.round(panel.width)}  L ${Math.round(panel.level)}  ×${panel.zoom.toFixed(1)}`;
  }

  // Returns whether the key was one of the viewer's.
  key(event) {
    const panel = this.active;
    if (!panel || !this.slices.length) return false;
    const actions = event.shiftKey
      ? { ArrowLeft: () => this.window(panel, 20, 0), ArrowRight: () => this.window(panel, -20, 0),
          ArrowUp: () => this.window(panel, 0, -12), ArrowDown: () => this.window(panel, 0, 12) }
      : { ArrowUp: () => this.turn(panel, -1), ArrowDown: () => this.turn(panel, 1),
          PageUp: () => this.turn(panel, -10), PageDown: () => this.turn(panel, 10) };
    const others = { "+": () => this.zoom(panel, 1.25), "=": () => this.zoom(panel, 1.25), "-": () => this.zoom(panel, 0.8),
      0: () => this.reset(panel), i: () => this.invert(panel), p: () => this.nextLayout(),
      "[": () => this.activate(this.number - 1), "]": () => this.activate(this.number + 1) };
    const action = actions[event.key] ?? others[event.key];
    action?.();
    return Boolean(action);
  }
}

function neutral() {
  return { zoom: 1, x: 0, y: 0, width: 255, level: 127.5, inverted: false, painted: null };
}

async function decode(sha256) {
  const response = await fetch(`/api/images/${sha256}`);
  if (!response.ok) throw new Error((await response.json()).message);
  const bitmap = await createImageBitmap(await response.blob());
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return { width: bitmap.width, height: bitmap.height, canvas, pixels: context.getImageData(0, 0, bitmap.width, bitmap.height) };
}

// Puts every colour value through the window: level - width/2 becomes black, level + width/2 white.
function paint(image, { width, level, inverted }) {
  if (width === 255 && level === 127.5 && !inverted) return image.canvas;
  const table = new Uint8ClampedArray(256);
  for (let value = 0; value < 256; value++) {
    const shown = ((value - level + width / 2) / width) * 255;
    table[value] = inverted ? 255 - Math.min(Math.max(shown, 0), 255) : shown;
  }
  const source = image.pixels.data;
  const target = new ImageData(image.width, image.height);
  const data = target.data;
  for (let at = 0; at < source.length; at += 4) {
    data[at] = table[source[at]];
    data[at + 1] = table[source[at + 1]];
    data[at + 2] = table[source[at + 2]];
    data[at + 3] = source[at + 3];
  }
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext("2d").putImageData(target, 0, 0);
  return canvas;
}
