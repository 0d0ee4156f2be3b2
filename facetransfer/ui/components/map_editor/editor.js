// The map editor: two maps over their pictures, one set of tools. A map is an array of labels here, never a drawing that is
// read back: what is painted arrives as it was painted, whatever the browser, its zoom or its screen.
(() => {
  const AUTOMATIC = 255, HATCH = 8, DASH = 6, TRAIL = 0.004, STEPS = 40, NAMED = 0.0001; // the last: smallest region with letters, a share
  const KEYS = {b: "brush", e: "eraser", f: "fill", a: "restore", l: "lasso"};
  const regions = window.faceRegions, {MapView, within} = window.faceView;

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
    tool: "brush", label: 1, brush: 8, eraser: 16, opacity: 55, reach: 20, zoom: 100, unsure: true, letters: false, painting: false,
    large: null, panning: false, over: null, classes: [], open: null, maps: [], done: [], undone: [], listeners: [], aside: [],
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
    reshape(change) { // the chosen class in the map that was used last, by the function of regions.js of that name
      const map = this.open;
      if (map?.layer) map.become(regions[change](map.shown, map.width, this.label, this.classes));
    },
    zoomBy(factor) { this.set({zoom: within(this.zoom * factor)}); },
    toFace() { // both maps show their face, at the zoom that suits both
      const maps = this.maps.filter(map => map.layer && map.canvas.offsetWidth);
      if (!maps.length) return;
      this.set({zoom: Math.min(...maps.map(map => map.view.fitting))});
      for (const map of maps) map.view.bring(map.view.face, map.view.middle);
    },
    enlarge(map) { // one map and the tools fill the window, and nothing else can be reached; without a map all is as before
      const last = this.large;
      for (const element of this.aside) element.inert = false;
      this.aside = map ? beside(map.element, document.querySelector("#map-tools")) : [];
      for (const element of this.aside) element.inert = true;
      document.body.style.overflow = map ? "hidden" : "";
      this.set({large: map, open: map ?? this.open, zoom: 100});
      (map ?? last)?.wide.focus();
    },
    space(event, pressed) { // held over a map it makes the pointer a hand; a control that was reached by keys keeps it
      if (event.key !== " ") return;
      const focus = document.activeElement, map = this.over;
      const free = map?.element.contains(focus) ? map.pointed : !focus.matches(":focus-visible");
      if (!(pressed ? map?.layer && free : this.panning)) return;
      event.preventDefault();
      event.stopPropagation();
      if (pressed !== this.panning) this.set({panning: pressed});
    },
    key(event) {
      const pressed = event.key.toLowerCase();
      if (pressed === "escape" && this.large) return this.enlarge(null);
      if ((event.ctrlKey || event.metaKey) && (pressed === "z" || pressed === "y")) pressed === "y" || event.shiftKey ? this.redo() : this.undo();
      else if (event.ctrlKey || event.metaKey || event.altKey) return;
      else if (KEYS[pressed]) this.set({tool: KEYS[pressed]});
      else if (pressed === "g") this.reshape(event.shiftKey ? "shrunk" : "grown");
      else if (pressed === "m") this.reshape("mirrored");
      else if (pressed === "+" || pressed === "-") this.zoomBy(pressed === "+" ? 1.25 : 0.8);
      else if ((pressed === "[" || pressed === "]") && this.tool in {brush: 1, eraser: 1})
        this.set({[this.tool]: Math.min(100, Math.max(1, this[this.tool] + (pressed === "]" ? 4 : -4)))});
      else return;
      event.preventDefault();
    },
  };

  function beside(...kept) { // the elements of the page that hold none of these and lie in none of them, as few as say it
    const found = [], holds = element => kept.some(one => element.contains(one));
    const look = parent => {
      for (const child of parent.children) if (!holds(child)) found.push(child); else if (!kept.includes(child)) look(child);
    };
    look(document.body);
    return found.filter(element => !["SCRIPT", "STYLE", "LINK"].includes(element.tagName));
  }

  class MapOverPicture {
    constructor(element, props, watch, trigger) {
      Object.assign(this, {element, props, trigger, layer: null});
      for (const name of ["canvas", "img", ".ring", ".under", ".sheet", ".stage", ".letters", ".wide", ".fold", ".faces", "figcaption"])
        this[name.replace(".", "")] = element.querySelector(name);
      this.canvas.addEventListener("pointerdown", e => this.down(e));
      this.canvas.addEventListener("pointermove", e => this.move(e));
      this.canvas.addEventListener("pointerup", e => this.up(e));
      this.canvas.addEventListener("pointercancel", () => this.cancel());
      this.canvas.addEventListener("pointerleave", () => { this.ring.hidden = true; this.under.textContent = ""; });
      this.canvas.addEventListener("keydown", e => this.key(e));
      element.addEventListener("keydown", e => tools.key(e));
      this.canvas.addEventListener("focus", () => tools.open === this || tools.set({open: this}));
      this.figcaption.addEventListener("click", () => tools.set({open: this})); // where there is room for one map
      this.wide.addEventListener("click", event => {
        event.stopPropagation();
        tools.enlarge(tools.large ? null : this);
      });
      this.view = new MapView(this, tools);
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
        this.box = this.counted = null;
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
    get shown() { // the labels with what was painted
      return this.layer.map((label, i) => label === AUTOMATIC ? this.automatic[i] : label);
    }
    get present() { // for each class, whether it is in the map
      if (!this.counted) {
        this.counted = new Uint8Array(tools.classes.length);
        this.layer.forEach((label, i) => { this.counted[label === AUTOMATIC ? this.automatic[i] : label] = 1; });
      }
      return this.counted;
    }
    faceBox() { // as shares of the map: [left, top, right, bottom], null without a face
      this.box ??= regions.extent(this.shown, this.width, tools.classes.map(c => c.face)) ?? "none";
      return this.box === "none" ? null : this.box.map((n, i) => n / (i % 2 ? this.height : this.width));
    }
    become(labels) { // the map with these labels; what differs is painted
      tools.remember(this);
      const before = this.shown;
      this.layer = this.layer.map((label, i) => labels[i] === before[i] ? label : labels[i]);
      this.changed();
      this.trigger("painted");
      tools.tell();
    }
    name() { // letters on the regions, for those who cannot tell the colours apart
      this.letters.hidden = !tools.letters;
      if (!tools.letters || this.named) return;
      this.named = true;
      const places = regions.places(this.shown, this.width, NAMED * this.layer.length);
      this.letters.replaceChildren(...places.map(({label, x, y}) => {
        const word = document.createElement("b");
        word.textContent = tools.classes[label].letters;
        word.style.cssText = `left:${x / this.width * 100}%;top:${y / this.height * 100}%`;
        return word;
      }));
    }
    changed() { // what the server is told of: the layer alone
      this.counted = this.box = null;
      this.named = false;
      this.name();
      this.draw();
      this.props.value = {layer: asText(this.layer, this.width, this.height), of: this.of};
    }
    show() {
      this.element.classList.toggle("folded", tools.open !== this);
      this.fold.setAttribute("aria-expanded", tools.open === this);
      this.fold.textContent = tools.open === this ? "" : "show";
      this.element.classList.toggle("large", tools.large === this);
      this.element.classList.toggle("painting", tools.painting);
      this.element.classList.toggle("panning", tools.panning);
      this.wide.textContent = tools.large ? "Close" : "Large";
      this.wide.setAttribute("aria-pressed", tools.large === this);
      this.canvas.style.opacity = tools.opacity / 100;
      if (!this.layer) return;
      this.view.show(tools.zoom);
      this.name();
      if (this.hatched !== tools.unsure) { this.hatched = tools.unsure; this.draw(); }
    }
    draw(left = 0, top = 0, right = this.width, bottom = this.height) {
      if (!tools.classes.length) return; // the toolbar draws when it is there
      const {layer, automatic, unsure, width, pixels: {data}} = this, fine = Math.ceil(Math.max(width, this.height) / 512);
      left = Math.max(0, left - fine);
      top = Math.max(0, top - fine);
      right = Math.min(width, right + fine);
      bottom = Math.min(this.height, bottom + fine);
      for (let y = top; y < bottom; y++) for (let x = left, i = y * width + left; x < right; x++, i++) {
        const mine = layer[i] !== AUTOMATIC, painted = n => layer[n] !== AUTOMATIC;
        const edge = !mine && (x >= fine && painted(i - fine) || x + fine < width && painted(i + fine) ||
          y >= fine && painted(i - fine * width) || y + fine < this.height && painted(i + fine * width));
        if (edge) { // dashes around what was painted
          data.fill((x + y) % (2 * DASH * fine) < DASH * fine ? 255 : 0, 4 * i, 4 * i + 3);
          data[4 * i + 3] = 255;
          continue;
        }
        const stripe = tools.unsure && !mine && unsure[i] ? (x + y) % HATCH : HATCH;
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
      return Math.max(0.5, (["fill", "lasso"].includes(tools.tool) ? TRAIL : (tools[tools.tool] ?? 1) / 500) * Math.max(this.width, this.height));
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
      if (event.pointerType === "touch" && !tools.painting) { // a finger scrolls the page past the map
        this.under.textContent = "Press Paint to paint with a finger";
        return;
      }
      this.pointed = true;
      this.canvas.setPointerCapture(event.pointerId);
      this.canvas.focus({preventScroll: true});
      this.begin(this.place(event));
    }
    begin(at) {
      this.redo = tools.undone;
      tools.remember(this);
      this.last = at;
      this.stroke = [this.last];
      if (tools.tool === "restore") this.restoreRegion(this.last); else this.paint(this.last, this.last);
    }
    move(event) {
      if (!this.layer) return;
      const at = this.spot = this.place(event);
      this.pointed = true;
      if (event.pointerType !== "touch" || this.stroke) this.point(at);
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
      if (way) this.pointed = false;
      if (!this.layer || event.ctrlKey || event.metaKey || event.altKey || !(way || press)) return;
      event.preventDefault();
      event.stopPropagation();
      const by = Math.max(this.width, this.height) * (event.shiftKey ? 0.005 : 0.025), within = (n, size) => Math.min(size - 0.5, Math.max(0.5, n));
      const [x, y] = this.spot ?? [this.width / 2, this.height / 2];
      if (way) this.spot = [within(x + way[0] * by, this.width), within(y + way[1] * by, this.height)];
      this.spot ??= [x, y];
      if (press) this.begin(this.spot), this.up();
      this.point(this.spot);
      this.view.reveal([this.spot[0] / this.width, this.spot[1] / this.height]);
    }
    cancel() { // a stroke that was none: a second finger came, or the browser took the gesture
      if (!this.stroke) return;
      this.stroke = null;
      this.layer = tools.done.pop()[1];
      tools.undone = this.redo;
      this.draw();
      tools.tell();
    }
    up() {
      if (!this.stroke) return;
      const points = this.stroke, stroke = points.map(([x, y]) => [x / this.width, y / this.height]);
      this.stroke = null;
      if (tools.tool === "lasso") for (const i of regions.enclosed(points, this.width, this.height)) this.layer[i] = tools.label;
      this.changed();
      tools.tell();
      if (tools.tool !== "fill") return this.trigger("painted");
      this.asked = this.layer.slice();
      this.trigger("fill", {stroke, label: tools.label, reach: tools.reach});
    }
  }

  function toolbar(element, classes) {
    tools.classes = classes;
    const all = selector => [...element.querySelectorAll(selector)];
    const actions = {undo: () => tools.undo(), redo: () => tools.redo(),
      nearer: () => tools.zoomBy(1.25), farther: () => tools.zoomBy(0.8), face: () => tools.toFace(), whole: () => tools.set({zoom: 100}),
      grow: () => tools.reshape("grown"), shrink: () => tools.reshape("shrunk"), mirror: () => tools.reshape("mirrored"),
      paint: () => tools.set({painting: !tools.painting}), class: () => tools.restore(tools.label), all: () => tools.restore()};
    for (const button of all("[data-tool]")) button.addEventListener("click", () => tools.set({tool: button.dataset.tool}));
    for (const button of all("[data-do]")) button.addEventListener("click", () => actions[button.dataset.do]());
    for (const button of all("[data-class]")) button.addEventListener("click", () =>
      tools.set({label: Number(button.dataset.class), tool: ["fill", "lasso"].includes(tools.tool) ? tools.tool : "brush"}));
    for (const input of all("input[type=range]")) input.addEventListener("input", () =>
      tools.set({[input.name === "size" ? (tools.tool === "eraser" ? "eraser" : "brush") : input.name]: Number(input.value)}));
    for (const input of all("input[type=checkbox]")) input.addEventListener("change", () => tools.set({[input.name]: input.checked}));
    element.addEventListener("keydown", e => tools.key(e));
    for (const [name, pressed] of [["keydown", true], ["keyup", false]]) document.addEventListener(name, e => tools.space(e, pressed), true);
    tools.listeners.push(() => {
      const maps = tools.maps.filter(m => m.layer), there = classes.map((_, i) => maps.some(map => map.present[i]));
      element.firstElementChild.dataset.maps = maps.length;
      element.firstElementChild.classList.toggle("large", Boolean(tools.large));
      for (const button of all("[data-tool]")) button.setAttribute("aria-pressed", button.dataset.tool === tools.tool);
      for (const button of all("[data-class]")) {
        button.setAttribute("aria-pressed", Number(button.dataset.class) === tools.label);
        button.classList.toggle("absent", !there[button.dataset.class]);
      }
      element.querySelector("[data-do=paint]").setAttribute("aria-pressed", tools.painting);
      element.querySelector("[data-do=mirror]").textContent = classes[tools.label].mirror === tools.label
        ? "Both halves the same" : `Same for the ${classes[classes[tools.label].mirror].label.toLowerCase()}`;
      for (const input of all("input[type=range]")) input.value = tools[input.name === "size" ? (tools.tool === "eraser" ? "eraser" : "brush") : input.name];
      element.querySelector("[data-name=size]").textContent = tools.tool === "eraser" ? "Eraser size" : "Brush size";
      element.querySelector("[data-do=undo]").disabled = !tools.done.length;
      element.querySelector("[data-do=redo]").disabled = !tools.undone.length;
      element.querySelector("[data-do=class]").textContent = `${classes[tools.label].label} back to automatic`;
    });
    rove(element);
    tools.maps.forEach(map => map.layer && map.draw());
    tools.tell();
  }

  function rove(element) { // one stop of the Tab key; the arrows move within. On a slider left and right are its own
    const controls = () => [...element.querySelectorAll("button, input")].filter(c => !c.disabled && c.offsetWidth);
    const stop = chosen => element.querySelectorAll("button, input").forEach(c => { c.tabIndex = c === chosen ? 0 : -1; });
    stop(element.querySelector("button"));
    element.addEventListener("focusin", event => stop(event.target));
    element.addEventListener("keydown", event => {
      const slides = event.target.type === "range", across = {ArrowLeft: -1, ArrowRight: 1}[event.key];
      const way = slides && across ? undefined : across ?? {ArrowUp: -1, ArrowDown: 1}[event.key];
      const all = controls(), ends = slides ? undefined : {Home: 0, End: all.length - 1}[event.key];
      if (way === undefined && ends === undefined) return;
      event.preventDefault();
      all[ends ?? (all.indexOf(event.target) + way + all.length) % all.length].focus();
    });
    // A button that disables itself, such as Undo after the last step, hands the focus on.
    tools.listeners.push(() => {
      const stops = controls(), at = document.activeElement;
      if (at.disabled && element.contains(at)) (stops.find(c => at.compareDocumentPosition(c) & Node.DOCUMENT_POSITION_FOLLOWING) ?? stops[0])?.focus();
      if (stops.length && !stops.some(c => c.tabIndex === 0)) stop(stops[0]);
    });
  }

  window.faceMaps = {toolbar, open: (...args) => new MapOverPicture(...args), tools};
})();
