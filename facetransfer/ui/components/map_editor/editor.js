// The map editor: two maps over their pictures, one set of tools. A map is an array of labels here, never a drawing that is
// read back: what is painted arrives as it was painted, whatever the browser, its zoom or its screen.
(() => {
  const AUTOMATIC = 255, HATCH = 8, TRAIL = 0.004, STEPS = 40;

  function fromText(text) { // "4x2 255*6 14*2" -> {width, height, labels}
    const [size, ...runs] = text.split(" "), [width, height] = size.split("x").map(Number), labels = new Uint8Array(width * height);
    let at = 0;
    for (const run of runs) { const [label, length] = run.split("*").map(Number); labels.fill(label, at, at += length); }
    return {width, height, labels};
  }
  function asText(labels, width, height) {
    const runs = [];
    for (let i = 0, start = 0; i <= labels.length; i++)
      if (i === labels.length || labels[i] !== labels[start]) { runs.push(`${labels[start]}*${i - start}`); start = i; }
    return `${width}x${height} ${runs.join(" ")}`;
  }

  const tools = {
    tool: "brush", label: 1, brush: 25, eraser: 25, opacity: 55, reach: 20, zoom: 100, unsure: false, classes: [], open: null, maps: [], done: [], undone: [], listeners: [],
    set(changes) { Object.assign(this, changes); this.tell(); },
    tell() { this.listeners.forEach(listener => listener()); },
    remember(map) { this.done.push([map, map.layer.slice()]); this.done.splice(0, this.done.length - STEPS); this.undone = []; this.tell(); },
    step(from, to) {
      const last = from.pop();
      if (!last) return;
      const [map, layer] = last;
      to.push([map, map.layer]); map.layer = layer; map.asked = null; map.changed(); map.trigger("painted"); this.tell();
    },
    undo() { this.step(this.done, this.undone); },
    redo() { this.step(this.undone, this.done); },
    forget(map) { this.done = this.done.filter(([m]) => m !== map); this.undone = this.undone.filter(([m]) => m !== map); this.tell(); },
    restore(label = null) { // the automatic map, of one class or everywhere
      for (const map of this.maps.filter(m => m.layer?.some(l => l !== AUTOMATIC && (label === null || l === label)))) {
        this.remember(map);
        map.layer = map.layer.map(l => label === null || l === label ? AUTOMATIC : l);
        map.changed();
        map.trigger("painted");
      }
    },
    key(event) {
      const pressed = event.key.toLowerCase();
      if ((event.ctrlKey || event.metaKey) && (pressed === "z" || pressed === "y")) pressed === "y" || event.shiftKey ? this.redo() : this.undo();
      else if (event.ctrlKey || event.metaKey || event.altKey) return;
      else if ({b: 1, e: 1, f: 1, a: 1}[pressed]) this.set({tool: {b: "brush", e: "eraser", f: "fill", a: "restore"}[pressed]});
      else if ((pressed === "[" || pressed === "]") && this.tool in {brush: 1, eraser: 1})
        this.set({[this.tool]: Math.min(100, Math.max(1, this[this.tool] + (pressed === "]" ? 4 : -4)))});
      else return;
      event.preventDefault();
    },
  };

  class MapOverPicture {
    constructor(element, props, watch, trigger) {
      Object.assign(this, {element, props, trigger, layer: null});
      for (const name of ["canvas", "img", ".ring", ".under", ".sheet", ".faces", "figcaption"]) this[name.replace(".", "")] = element.querySelector(name);
      this.canvas.addEventListener("pointerdown", e => this.down(e));
      this.canvas.addEventListener("pointermove", e => this.move(e));
      for (const name of ["pointerup", "pointercancel"]) this.canvas.addEventListener(name, e => this.up(e));
      this.canvas.addEventListener("pointerleave", () => { this.ring.hidden = true; this.under.textContent = ""; });
      this.canvas.addEventListener("keydown", e => this.key(e));
      element.addEventListener("keydown", e => tools.key(e));
      this.figcaption.addEventListener("click", () => tools.set({open: this})); // where there is room for one map
      tools.maps.push(this);
      tools.open ??= this;
      tools.listeners.push(() => this.show());
      watch("value", () => this.load());
      this.load();
    }
    load() {
      const value = this.props.value;
      if (!value || !value.layer) {
        this.layer = this.automatic = null;
        this.element.querySelector(".map").classList.remove("there");
        tools.forget(this);
        return;
      }
      const {width, height, labels} = fromText(value.layer);
      if (value.automatic) {
        this.automatic = fromText(value.automatic).labels;
        this.unsure = fromText(value.unsure).labels;
        this.of = value.of; this.asked = null;
        this.img.src = value.photo;
        if (width !== this.width || height !== this.height || !value.same) tools.forget(this);
        Object.assign(this, {width, height});
        this.frames(value.faces ?? [], value.chosen);
        this.canvas.width = width; this.canvas.height = height;
        this.pixels = this.canvas.getContext("2d").createImageData(width, height);
        this.sheet.style.aspectRatio = `${width} / ${height}`;
        this.sheet.style.setProperty("--shape", width / height);
        this.element.querySelector(".map").classList.add("there");
      }
      if (value.filled) this.trigger("painted");
      if (value.filled) { // an answer to a fill: what was painted since it was asked stays; after an undo nobody wants it any more
        const {asked, layer} = this;
        this.asked = null;
        if (!asked) return this.changed();
        layer.forEach((label, i) => { if (label !== asked[i]) labels[i] = label; });
      }
      this.layer = labels;
      this.changed();
      tools.tell();
    }
    frames(faces, chosen) { // around the faces of a picture with several: the one that is used, and buttons for the others
      this.faces.replaceChildren(...faces.map(([left, top, width, height], i) => {
        const frame = document.createElement("div"), button = document.createElement("button"), used = i + 1 === chosen;
        frame.style.cssText = `left:${left * 100}%;top:${top * 100}%;width:${width * 100}%;height:${height * 100}%`;
        frame.className = used ? "used" : "";
        Object.assign(button, {type: "button", textContent: used ? "This face" : "Use this face", disabled: used});
        button.addEventListener("click", () => this.trigger("face", {face: i + 1}));
        frame.append(button);
        return frame;
      }));
    }
    changed() { // what the server is told of: the layer alone
      this.draw();
      this.props.value = {layer: asText(this.layer, this.width, this.height), of: this.of};
    }
    show() {
      this.element.classList.toggle("folded", tools.open !== this);
      this.figcaption.setAttribute("aria-expanded", tools.open === this);
      this.canvas.style.opacity = tools.opacity / 100;
      this.sheet.style.setProperty("--zoom", tools.zoom / 100);
      if (this.layer && this.hatched !== tools.unsure) { this.hatched = tools.unsure; this.draw(); }
    }
    draw(left = 0, top = 0, right = this.width, bottom = this.height) {
      if (!tools.classes.length) return; // the toolbar draws when it is there
      const {layer, automatic, unsure, width, pixels: {data}} = this;
      for (let y = top; y < bottom; y++) for (let x = left, i = y * width + left; x < right; x++, i++) {
        const mine = layer[i] !== AUTOMATIC, stripe = tools.unsure && !mine && unsure[i] ? (x + y) % HATCH : HATCH;
        const [r, g, b] = stripe < 2 ? [255, 255, 255] : stripe < 4 ? [0, 0, 0] : tools.classes[mine ? layer[i] : automatic[i]].colour;
        data[4 * i] = r; data[4 * i + 1] = g; data[4 * i + 2] = b; data[4 * i + 3] = 255;
      }
      this.canvas.getContext("2d").putImageData(this.pixels, 0, 0, left, top, right - left, bottom - top);
    }
    place(event) {
      const box = this.canvas.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width * this.width, (event.clientY - box.top) / box.height * this.height];
    }
    get radius() {
      return Math.max(0.5, (tools.tool === "fill" ? TRAIL : (tools[tools.tool] ?? 1) / 500) * Math.max(this.width, this.height));
    }
    paint([ax, ay], [bx, by]) { // every pixel whose middle is within the radius of the line
      const label = tools.tool === "eraser" ? AUTOMATIC : tools.label, r = this.radius, length = (bx - ax) ** 2 + (by - ay) ** 2 || 1;
      const left = Math.max(0, Math.floor(Math.min(ax, bx) - r)), right = Math.min(this.width, Math.ceil(Math.max(ax, bx) + r) + 1);
      const top = Math.max(0, Math.floor(Math.min(ay, by) - r)), bottom = Math.min(this.height, Math.ceil(Math.max(ay, by) + r) + 1);
      for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) {
        const t = Math.min(1, Math.max(0, ((x + 0.5 - ax) * (bx - ax) + (y + 0.5 - ay) * (by - ay)) / length));
        if ((x + 0.5 - ax - t * (bx - ax)) ** 2 + (y + 0.5 - ay - t * (by - ay)) ** 2 <= r * r) this.layer[y * this.width + x] = label;
      }
      if (right > left && bottom > top) this.draw(left, top, right, bottom);
    }
    restoreRegion([x, y]) { // the painted region under the pointer, back to automatic
      const start = Math.floor(y) * this.width + Math.floor(x), label = this.layer[start], open = [start];
      if (label === AUTOMATIC || label === undefined) return;
      while (open.length) {
        const i = open.pop();
        if (this.layer[i] !== label) continue;
        this.layer[i] = AUTOMATIC;
        if (i % this.width) open.push(i - 1);
        if ((i + 1) % this.width) open.push(i + 1);
        open.push(i - this.width, i + this.width);
      }
    }
    down(event) {
      if (!this.layer || event.button || !event.isPrimary) return;
      this.canvas.setPointerCapture(event.pointerId);
      this.canvas.focus({preventScroll: true});
      this.begin(this.place(event));
    }
    begin(at) {
      tools.remember(this);
      this.last = at;
      this.stroke = [this.last];
      if (tools.tool === "restore") this.restoreRegion(this.last); else this.paint(this.last, this.last);
    }
    move(event) {
      if (!this.layer) return;
      const at = this.spot = this.place(event);
      this.point(at);
      this.ring.hidden = tools.tool === "restore" || event.pointerType === "touch";
      if (!this.stroke || tools.tool === "restore") return;
      this.paint(this.last, at);
      this.stroke.push(this.last = at);
    }
    point(at) { // the ring there, and the name of what lies under it
      const size = 2 * this.radius / this.width * this.canvas.getBoundingClientRect().width;
      this.ring.hidden = false;
      this.ring.style.cssText = `left:${at[0] / this.width * 100}%;top:${at[1] / this.height * 100}%;width:${size}px;height:${size}px`;
      const i = Math.floor(at[1]) * this.width + Math.floor(at[0]), label = this.layer[i] === AUTOMATIC ? this.automatic[i] : this.layer[i];
      this.under.textContent = tools.classes[label]?.label ?? "";
    }
    key(event) { // the arrows move the ring, with Shift finely; Space or Enter does at the ring what a press of the pointer does
      const way = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key], press = event.key === " " || event.key === "Enter";
      if (!this.layer || event.ctrlKey || event.metaKey || event.altKey || !(way || press)) return;
      event.preventDefault();
      event.stopPropagation();
      const by = Math.max(this.width, this.height) * (event.shiftKey ? 0.005 : 0.025), within = (n, size) => Math.min(size - 0.5, Math.max(0.5, n));
      const [x, y] = this.spot ?? [this.width / 2, this.height / 2];
      if (way) this.spot = [within(x + way[0] * by, this.width), within(y + way[1] * by, this.height)];
      this.spot ??= [x, y];
      if (press) this.begin(this.spot), this.up();
      this.point(this.spot);
    }
    up() {
      if (!this.stroke) return;
      const stroke = this.stroke.map(([x, y]) => [x / this.width, y / this.height]);
      this.stroke = null;
      this.changed();
      if (tools.tool !== "fill") return this.trigger("painted");
      this.asked = this.layer.slice();
      this.trigger("fill", {stroke, label: tools.label, reach: tools.reach});
    }
  }

  function toolbar(element, classes) {
    tools.classes = classes;
    const all = selector => [...element.querySelectorAll(selector)];
    const actions = {undo: () => tools.undo(), redo: () => tools.redo(), class: () => tools.restore(tools.label), all: () => tools.restore()};
    for (const button of all("[data-tool]")) button.addEventListener("click", () => tools.set({tool: button.dataset.tool}));
    for (const button of all("[data-do]")) button.addEventListener("click", () => actions[button.dataset.do]());
    for (const button of all("[data-class]")) button.addEventListener("click", () =>
      tools.set({label: Number(button.dataset.class), tool: tools.tool === "fill" ? "fill" : "brush"}));
    for (const input of all("input[type=range]")) input.addEventListener("input", () =>
      tools.set({[input.name === "size" ? (tools.tool === "eraser" ? "eraser" : "brush") : input.name]: Number(input.value)}));
    for (const input of all("input[type=checkbox]")) input.addEventListener("change", () => tools.set({unsure: input.checked}));
    element.addEventListener("keydown", e => tools.key(e));
    tools.listeners.push(() => {
      const there = new Uint8Array(classes.length), maps = tools.maps.filter(m => m.layer);
      for (const map of maps) for (let i = 0; i < map.layer.length; i++) there[map.layer[i] === AUTOMATIC ? map.automatic[i] : map.layer[i]] = 1;
      element.firstElementChild.dataset.maps = maps.length;
      for (const button of all("[data-tool]")) button.setAttribute("aria-pressed", button.dataset.tool === tools.tool);
      for (const button of all("[data-class]")) {
        button.setAttribute("aria-pressed", Number(button.dataset.class) === tools.label);
        button.classList.toggle("absent", !there[button.dataset.class]);
      }
      for (const input of all("input[type=range]")) input.value = tools[input.name === "size" ? (tools.tool === "eraser" ? "eraser" : "brush") : input.name];
      element.querySelector("[data-name=size]").textContent = tools.tool === "eraser" ? "Eraser size" : "Brush size";
      element.querySelector("[data-do=undo]").disabled = !tools.done.length;
      element.querySelector("[data-do=redo]").disabled = !tools.undone.length;
      element.querySelector("[data-do=class]").textContent = `${classes[tools.label].label} back to automatic`;
    });
    tools.maps.forEach(map => map.layer && map.draw());
    tools.tell();
  }

  window.faceMaps = {toolbar, open: (...args) => new MapOverPicture(...args), tools};
})();
